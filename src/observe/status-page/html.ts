// HTML from template literals. Every value is escaped, unless it came from here: text of clients and applications cannot
// become markup.
import { visible } from '../format.ts';

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

const escape = (text: string): string =>
  visible(text).replaceAll(/[&<>"']/g, (found) => ENTITIES[found] ?? '');
