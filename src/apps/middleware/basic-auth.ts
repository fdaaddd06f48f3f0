// viaduct:basic-auth: asks for name and password (RFC 7617) and tells the application who it is.
import { Buffer } from 'node:buffer';
import type { BasicAuthOptions } from '../../config/middleware-options.ts';
import { parsePassword, type Password } from '../../config/password.ts';
import type { Application, Environ, HeaderList, StartResponse } from '../../gateway/contract.ts';
import { environKey, leaveOut } from '../../gateway/environ.ts';
import { errorPage } from '../../gateway/error-page.ts';
import { readHtpasswd } from './htpasswd.ts';
import { PasswordTable } from './verify-password.ts';

/** Characters of Authorization that are looked at. */
const MAX_HEADER = 4096;

/** Seconds. */
const RETRY_AFTER = 2;

interface Credentials {
  readonly name: string;
  readonly password: Buffer;
}

/** @throws {Error} where the htpasswd file is no good */
export function basicAuth(app: Application, options: BasicAuthOptions): Application {
  const { realm, users = {}, file, header } = options;
  const table = new PasswordTable(file === undefined ? readUsers(users) : readHtpasswd(file));
  const challenge: HeaderList[number] = [
    'WWW-Authenticate',
    `Basic realm="${realm.replaceAll(/["\\]/g, String.raw`\$&`)}", charset="UTF-8"`,
  ];
  const headerKey = header === undefined ? null : environKey(header);
  const refuse = (environ: Environ, startResponse: StartResponse): Uint8Array[] => {
    const page = errorPage(401, environ['viaduct.request_id']);
    startResponse(page.status, [...page.headers, challenge]);
    return [page.body];
  };
  return (environ, startResponse) => {
    const credentials = readCredentials(environ['HTTP_AUTHORIZATION']);
    // A front server may have set it from the same header, without having looked at the password.
    leaveOut(environ, 'REMOTE_USER');
    leaveOut(environ, 'AUTH_TYPE');
    if (credentials === null) return refuse(environ, startResponse);
    const finish = (isRight: boolean): ReturnType<Application> => {
      if (!isRight) return refuse(environ, startResponse);
      identify(environ, credentials.name, headerKey);
      return app(environ, startResponse);
    };
    const verdict = table.check(credentials.name, credentials.password);
    if (verdict === null) return postpone(environ, startResponse);
    return typeof verdict === 'boolean' ? finish(verdict) : verdict.then(finish);
  };
}

/** Too many passwords wait to be looked at. */
function postpone(environ: Environ, startResponse: StartResponse): Uint8Array[] {
  const page = errorPage(503, environ['viaduct.request_id'], RETRY_AFTER);
  startResponse(page.status, page.headers);
  return [page.body];
}

function readUsers(users: Readonly<Record<string, string>>): Map<string, Password> {
  return new Map(Object.entries(users).map(([name, text]) => [name, parsePassword(text, true)]));
}

/** The application learns who it is, and need not see the password. `headerKey`: where else it looks for the name. */
function identify(environ: Environ, name: string, headerKey: string | null): void {
  // PEP 3333: the bytes of its UTF-8, one character each.
  const bytes = Buffer.from(name).toString('latin1');
  leaveOut(environ, 'HTTP_AUTHORIZATION');
  environ['REMOTE_USER'] = bytes;
  environ['AUTH_TYPE'] = 'Basic';
  if (headerKey !== null) environ[headerKey] = bytes;
}

/** null: there are none, or they are malformed. */
function readCredentials(header: unknown): Credentials | null {
  if (typeof header !== 'string' || header.length > MAX_HEADER) return null;
  const encoded = /^basic +([A-Za-z0-9+/]+=*)[ \t]*$/i.exec(header)?.[1];
  if (encoded === undefined) return null;
  const bytes = Buffer.from(encoded, 'base64');
  const colon = bytes.indexOf(':');
  if (colon === -1) return null;
  const name = decode(bytes.subarray(0, colon));
  const password = decode(bytes.subarray(colon + 1));
  // RFC 7617, section 2: neither has control characters.
  return /\p{Cc}/u.test(name + password) ? null : { name, password: Buffer.from(password) };
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** As UTF-8, which the challenge asks for; what is none comes from a client that goes by Latin-1. */
function decode(bytes: Buffer): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    return bytes.toString('latin1');
  }
}
