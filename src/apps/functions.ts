// What can be told of a function without calling it.

// oxlint-disable-next-line typescript/no-unsafe-function-type
type AnyFunction = Function;

export const isClass = (value: AnyFunction): boolean => /^class\b/.test(sourceOf(value));

/** By the names of its parameters (environ, startResponse). */
export function isGatewayApp(value: AnyFunction): boolean {
  const [first = '', second = ''] = parametersOf(value);
  return /^_?env(?:iron)?$/.test(first) || /^_?start_?response$/i.test(second);
}

/** By the names of its parameters: a (req, res) function of node:http. */
export function isListener(value: AnyFunction): boolean {
  const [first = '', second = ''] = parametersOf(value);
  return /^_?req(?:uest)?$/.test(first) && /^_?res(?:ponse)?$/.test(second);
}

/** By the names of its parameters: a plugin of Fastify. */
export const isPlugin = (value: AnyFunction): boolean =>
  /^(?:fastify|instance)$/.test(parametersOf(value)[0] ?? '');

/** The names of its parameters as far as they are plain names; "" for the others. */
function parametersOf(value: AnyFunction): string[] {
  const list = /^(?:async\s*)?(?:function\b[^(]*|[\w$]+\s*(?=\())?(?:\(([^)]*)\)|([\w$]+)\s*=>)/.exec(
    sourceOf(value),
  );
  const text = list?.[1] ?? list?.[2] ?? '';
  return text === '' ? [] : text.split(',').map((name) => /^\s*([\w$]+)\s*$/.exec(name)?.[1] ?? '');
}

const sourceOf = (value: AnyFunction): string => Function.prototype.toString.call(value);
