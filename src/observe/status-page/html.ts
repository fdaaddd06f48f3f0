// HTML from template literals. Every value is escaped, unless it came from here: text of clients and applications cannot
// become markup.

/** Markup that is safe as it is; made by html`` only. */
export class Html {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  static join(strings: readonly string[], values: readonly HtmlValue[]): Html {
    const parts = strings.map((literal, at) => literal + (at < values.length ? render(values[at]) : ''));
    return new Html(parts.join(''));
  }

  /** Text of our own files, a style sheet say. */
  static trusted(text: string): Html {
    return new Html(text);
  }

  toString(): string {
    return this.#text;
  }
}

/** null, undefined and false are nothing. */
export type HtmlValue = string | number | null | undefined | false | Html | readonly HtmlValue[];

/** Values go between tags, or into attributes in double quotes. */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return Html.join(strings, values);
}

function render(value: HtmlValue): string {
  if (value === null || value === undefined || value === false) return '';
  if (value instanceof Html) return value.toString();
  if (typeof value === 'object') return value.map(render).join('');
  return escape(String(value));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * Control characters and those that turn the direction of text around come as what they are called, so that one
 * cannot hide what stands next to it.
 */
function escape(text: string): string {
  return text
    .replaceAll(/[&<>"']/g, (found) => ENTITIES[found] ?? '')
    .replaceAll(
      /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g,
      (found) => `\\u${(found.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
    );
}
