import { FieldPath, forbidden } from '../../../meta/field-error.ts';
import { validateAnnotations } from '../../../meta/object-meta-validation.ts';
import type { PersistentVolumeClaimTemplate } from '../../../types/core-v1.ts';
import type { ObjectMeta } from '../../../types/meta-v1.ts';
import { claimSpecFaults } from '../persistent-volume-claim.ts';
import { validateLabels } from './labels.ts';
import type { Errors } from './options.ts';

/** The claim that an ephemeral volume makes. */
export function validateClaimTemplate(template: PersistentVolumeClaimTemplate, at: string, errors: Errors): void {
  validateTemplateMetadata(template.metadata ?? {}, `${at}.metadata`, errors);
  errors.push(...claimSpecFaults(template.spec ?? {}, new FieldPath(`${at}.spec`)));
}

/** What upstream calls fields of metadata in paths, where that is not their name. */
const pathNames: Readonly<Record<string, string>> = { uid: 'uID' };

/** The metadata of what a template makes: only labels and annotations are taken over. */
export function validateTemplateMetadata(metadata: ObjectMeta, at: string, errors: Errors): void {
  errors.push(...validateAnnotations(metadata.annotations, `${at}.annotations`));
  validateLabels(metadata.labels, `${at}.labels`, errors);
  for (const field of Object.keys(metadata)) {
    if (field !== 'annotations' && field !== 'labels')
      errors.push(forbidden(`${at}.${pathNames[field] ?? field}`, 'cannot be set'));
  }
}
