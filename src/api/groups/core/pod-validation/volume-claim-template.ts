import { FieldPath, forbidden } from '../../../meta/field-error.ts';
import { validateAnnotations } from '../../../meta/object-meta-validation.ts';
import type { PersistentVolumeClaimTemplate } from '../../../types/core-v1.ts';
import { claimSpecFaults } from '../persistent-volume-claim.ts';
import { validateLabels } from './labels.ts';
import type { Errors } from './options.ts';

/** The claim that an ephemeral volume makes: of its metadata only labels and annotations are taken over. */
export function validateClaimTemplate(template: PersistentVolumeClaimTemplate, at: string, errors: Errors): void {
  const metadata = template.metadata ?? {};
  errors.push(...validateAnnotations(metadata.annotations, `${at}.metadata.annotations`));
  validateLabels(metadata.labels, `${at}.metadata.labels`, errors);
  for (const field of Object.keys(metadata)) {
    if (field !== 'annotations' && field !== 'labels') {
      errors.push(forbidden(`${at}.metadata.${field}`, 'cannot be set for an ephemeral volume'));
    }
  }
  errors.push(...claimSpecFaults(template.spec ?? {}, new FieldPath(`${at}.spec`)));
}
