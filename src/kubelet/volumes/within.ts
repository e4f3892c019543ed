/** Whether a path is a directory or lies below it. Both absolute and without links. */
export const within = (root: string, path: string): boolean => path === root || path.startsWith(`${root}/`);
