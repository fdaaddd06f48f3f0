// Puts a built-in middleware between two lints, in the real gateway, around any application.
import { expect } from 'chai';
import { loadMiddleware } from '../../../../src/apps/loader.ts';
import { OPTION_SCHEMAS } from '../../../../src/config/middleware-options.ts';
import type { BuiltinMiddleware } from '../../../../src/config/reference.ts';
import type { Application, Environ } from '../../../../src/gateway/contract.ts';
import { lint } from '../../../../src/gateway/lint.ts';
import type { FakeExchange } from '../../../helpers/fake-exchange.ts';
import { makeMount, type RecordedEvents, type RequestOptions, Stage } from '../../../helpers/fake-gateway.ts';
import { bytes } from '../../../helpers/mini-gateway.ts';

/** `app` in the middleware, whose `options` are as the file has them. */
export async function wrap(
  app: Application,
  name: BuiltinMiddleware,
  options: Record<string, unknown> = {},
): Promise<Application> {
  const middleware = await loadMiddleware({ kind: 'builtin', builtin: name }, 1000);
  return middleware(app, OPTION_SCHEMAS[name].parse(options));
}

/** The application behind a middleware, and what it saw. */
export class Seen {
  environ: Environ | null = null;
  calls = 0;
  readonly app: Application = (environ, startResponse) => {
    this.calls += 1;
    this.environ = environ;
    startResponse('200 OK', [['Content-Type', 'text/plain']]);
    return [bytes('from the app')];
  };

  /** Of the last call; undefined for what is not there. */
  values(...keys: string[]): unknown[] {
    return keys.map((key) => this.environ?.[key]);
  }
}

/** One middleware, or several with the outermost first. */
export class Stand {
  readonly warnings: readonly string[];
  readonly #stage: Stage;

  private constructor(app: Application, path: string, warnings: readonly string[]) {
    this.#stage = new Stage(makeMount(app, { path, name: path }));
    this.warnings = warnings;
  }

  /** @param prepare changes the environ before the first middleware sees it */
  static async make(
    app: Application,
    layers: readonly (readonly [BuiltinMiddleware, Record<string, unknown>])[],
    path = '',
    prepare: (environ: Environ) => void = () => undefined,
  ): Promise<Stand> {
    const warnings: string[] = [];
    const watched = (inner: Application): Application =>
      lint(inner, { onWarning: (rule, message) => warnings.push(`${rule}: ${message}`) });
    let whole = watched(app);
    for (const [name, options] of layers.toReversed()) whole = watched(await wrap(whole, name, options));
    const prepared: Application = (environ, startResponse) => {
      prepare(environ);
      return whole(environ, startResponse);
    };
    return new Stand(prepared, path, warnings);
  }

  get events(): RecordedEvents {
    return this.#stage.events;
  }

  /** Starts a request, and leaves it to the test. */
  begin(request: RequestOptions): FakeExchange {
    return this.#stage.handle(request);
  }

  /** A request from beginning to end, with nothing that a lint or the gateway complains about. */
  async get(
    path: string,
    headers: Readonly<Record<string, string>> = {},
    more: RequestOptions = {},
  ): Promise<FakeExchange> {
    const exchange = this.begin({
      path,
      ...more,
      params: [...Object.entries(headers).flat(), ...(more.params ?? [])],
    });
    await this.settled();
    return exchange;
  }

  async settled(): Promise<void> {
    await this.#stage.settled();
    expect(this.warnings, 'warnings of the lints').to.deep.equal([]);
    expect(this.events.errors, 'errors').to.deep.equal([]);
    expect(this.events.warnings, 'warnings of the gateway').to.deep.equal([]);
  }
}
