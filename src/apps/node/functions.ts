// What can be told of a function without calling it.
import { isExpress } from './kinds.ts';

// oxlint-disable-next-line typescript/no-unsafe-function-type
type AnyFunction = Function;

export const isClass = (value: AnyFunction): boolean => /^class\b/.test(sourceOf(value));

/** The names of its parameters as far as they are plain names; "" for the others. */
export function parametersOf(value: AnyFunction): string[] {
  const list = /^(?:async\s*)?(?:function\b[^(]*|[\w$]+\s*(?=\())?(?:\(([^)]*)\)|([\w$]+)\s*=>)/.exec(
    sourceOf(value),
  );
  const text = list?.[1] ?? list?.[2] ?? '';
  return text === '' ? [] : text.split(',').map((name) => /^\s*([\w$]+)\s*$/.exec(name)?.[1] ?? '');
}

/** Express and Connect apps: functions whose length does not matter. */
export function isFrameworkApp(value: AnyFunction): boolean {
  return isExpress(value) || typeof (value as { handle?: unknown }).handle === 'function';
}

/** A gateway app and a Fastify plugin have two parameters as well; those give themselves away by their names. */
export function isHandler(value: AnyFunction): boolean {
  return value.length >= 2 && value.length <= 3 && !isGatewayApp(value) && !isPlugin(value);
}

export function isGatewayApp(value: AnyFunction): boolean {
  const [first = '', second = ''] = parametersOf(value);
  return /^env(?:iron)?$/.test(first) || /^start_?response$/i.test(second);
}

export function isPlugin(value: AnyFunction): boolean {
  return /^(?:fastify|instance)$/.test(parametersOf(value)[0] ?? '');
}

const sourceOf = (value: AnyFunction): string => Function.prototype.toString.call(value);
