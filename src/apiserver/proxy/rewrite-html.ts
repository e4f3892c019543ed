/** Which attributes of which tags are URLs (HTML 4 and 5, as upstream's proxy knows them). */
const urlAttributes: Readonly<Record<string, readonly string[]>> = {
  a: ['href'],
  applet: ['codebase'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  command: ['icon'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['src', 'usemap', 'formaction'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
};

/** A tag that is longer than this passes unchanged. */
const MAX_TAG_LENGTH = 64 * 1024;
// Without nested repetition: pages are not ours, and shall not cost more than their length.
const tag = /<([A-Za-z][A-Za-z0-9]*)(\s[^<>]*)>/g;
const attribute = /(\s)([A-Za-z-]+)(\s*=\s*)(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/g;

/** The URLs of a page made to go through the proxy that the page came by. Fed with pieces of text; keeps what may be the begin of a tag. */
export class HtmlRewriter {
  readonly #rewrite: (url: string) => string;
  #rest = '';

  constructor(rewrite: (url: string) => string) {
    this.#rewrite = rewrite;
  }

  push(text: string): string {
    const all = this.#rest + text;
    const open = all.lastIndexOf('<');
    const whole = open < 0 || all.indexOf('>', open) >= 0 || all.length - open > MAX_TAG_LENGTH;
    this.#rest = whole ? '' : all.slice(open);
    return this.#convert(whole ? all : all.slice(0, open));
  }

  end(): string {
    const rest = this.#rest;
    this.#rest = '';
    return rest;
  }

  #convert(text: string): string {
    return text.replace(tag, (whole, name: string, attributes: string) => {
      const known = urlAttributes[name.toLowerCase()];
      if (known === undefined || attributes === '') return whole;
      const changed = attributes.replace(
        attribute,
        (part, space: string, key: string, equals: string, a?: string, b?: string, c?: string) => {
          if (!known.includes(key.toLowerCase())) return part;
          return `${space}${key}${equals}"${this.#rewrite(a ?? b ?? c ?? '')}"`;
        },
      );
      return `<${name}${changed}>`;
    });
  }
}
