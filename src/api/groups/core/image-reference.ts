/** The parts of an image reference that defaulting asks for (distribution's reference grammar, as far as the tag goes). */

/** Of a repository's name, with its registry, in characters. */
const MAX_NAME_LENGTH = 255;

/**
 * The tag of `image` as the container runtime will see it: `latest` when it names neither tag nor digest, '' when it names only a digest or
 * is not a reference at all.
 */
export function imageTag(image: string): string {
  const at = image.indexOf('@');
  const name = at < 0 ? image : image.slice(0, at);
  // What looks like the id of an image is none, to upstream.
  if (name === '' || !reference.test(name) || /^[a-f0-9]{64}$/.test(name)) return '';
  const slash = name.lastIndexOf('/');
  // A colon before the last slash belongs to the registry's port.
  const colon = name.indexOf(':', slash + 1);
  if ((colon >= 0 ? colon : name.length) > MAX_NAME_LENGTH) return '';
  if (colon >= 0) return name.slice(colon + 1);
  return at < 0 ? 'latest' : '';
}

const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const domain =
  '(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\\[[0-9a-fA-F:]+\\])(?::[0-9]+)?';
const reference = new RegExp(`^(?:${domain}/)?${component}(?:/${component})*(?::[\\w][\\w.-]{0,127})?$`);

/** `Always` for the moving tag, `IfNotPresent` for everything else: the pull policy of a container that names none. */
export function defaultPullPolicy(image: string | undefined): 'Always' | 'IfNotPresent' {
  return imageTag(image ?? '') === 'latest' ? 'Always' : 'IfNotPresent';
}
