// The JSON Schema of the file, for editors, and what it knows about keys, for error messages.
import { z } from 'zod';
import type { KeyPath } from './problems.ts';
import { OPTION_SCHEMAS } from './middleware-options.ts';
import { configSchema } from './schema.ts';

interface SchemaNode {
  properties?: Record<string, SchemaNode>;
  items?: SchemaNode;
  anyOf?: SchemaNode[];
}

/** Draft 2020-12, of the file as it is written (before defaults and units). */
export function configJsonSchema(): Record<string, unknown> {
  return toJsonSchema(configSchema, ({ jsonSchema }) => {
    if (jsonSchema.properties?.['use'] !== undefined) jsonSchema.allOf = OPTION_RULES;
  });
}

type Override = (context: { jsonSchema: z.core.JSONSchema.BaseSchema }) => void;

function toJsonSchema(schema: z.ZodType, more?: Override): z.core.JSONSchema.BaseSchema {
  return z.toJSONSchema(schema, {
    io: 'input',
    override: (context) => {
      const { jsonSchema } = context;
      // what JavaScript can count to says nothing to somebody who writes a file
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.type === 'object') delete jsonSchema.propertyNames;
      more?.(context);
    },
  });
}

/** What the options of each built-in middleware are. */
const OPTION_RULES = Object.entries(OPTION_SCHEMAS).map(([name, schema]) => {
  const { $schema: _draft, ...options } = toJsonSchema(schema);
  const required = options.required === undefined ? {} : { required: ['options'] };
  return {
    if: { properties: { use: { const: name } }, required: ['use'] },
    // oxlint-disable-next-line unicorn/no-thenable -- a word of JSON Schema
    then: { properties: { options }, ...required },
  };
});

let root: SchemaNode | undefined;

/** The keys that may stand in the mapping at `path`; none where any key may. */
export function knownKeys(path: KeyPath): string[] {
  root ??= configJsonSchema();
  let nodes = [root];
  for (const part of path) {
    nodes = nodes.flatMap(alternatives).flatMap((node) => {
      const next = typeof part === 'number' ? node.items : node.properties?.[part];
      return next === undefined ? [] : [next];
    });
  }
  return nodes.flatMap(alternatives).flatMap((node) => Object.keys(node.properties ?? {}));
}

function alternatives(node: SchemaNode): SchemaNode[] {
  return [node, ...(node.anyOf ?? [])];
}

/** Every key of the file: `limits`, `limits.queue`, `mounts[].limits.queue`. */
export function everyKey(): string[] {
  root ??= configJsonSchema();
  return walk(root, '');
}

function walk(node: SchemaNode, prefix: string): string[] {
  return alternatives(node).flatMap((part) => {
    const below = Object.entries(part.properties ?? {}).flatMap(([key, child]) => {
      const path = prefix === '' ? key : `${prefix}.${key}`;
      return [path, ...walk(child, path)];
    });
    return part.items === undefined ? below : [...below, ...walk(part.items, `${prefix}[]`)];
  });
}
