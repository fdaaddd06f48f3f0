// The public API: the types of the gateway contract, and what an application or its tests may import.
export type {
  Application,
  Body,
  Environ,
  ErrorStream,
  FileLike,
  HeaderList,
  InputStream,
  Middleware,
  StartResponse,
  Tunnel,
  UpgradeCallable,
  WriteCallable,
} from './gateway/contract.ts';
export { fileWrapper } from './gateway/file-wrapper.ts';
export {
  LINT_RULES,
  lint,
  LintError,
  type LintOptions,
  type LintRule,
  type LintSeverity,
} from './gateway/lint.ts';
export { shareMetrics, type SharedRegistry } from './apps/metrics/registries.ts';
