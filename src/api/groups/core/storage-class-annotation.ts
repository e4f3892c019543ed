/** What named the storage class before `storageClassName` did; a claim that has it is of that class still. */
export const storageClassAnnotation = 'volume.beta.kubernetes.io/storage-class';
