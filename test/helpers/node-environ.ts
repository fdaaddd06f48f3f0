// An environ in memory for what makes requests of node:http.
import type { Environ } from '../../src/gateway/contract.ts';
import { MemoryErrors, MemoryInput } from './mini-gateway.ts';

export const makeEnviron = (params: Readonly<Record<string, string>>): Environ => ({
  REQUEST_METHOD: 'GET',
  SCRIPT_NAME: '',
  PATH_INFO: '/',
  QUERY_STRING: '',
  SERVER_NAME: 'localhost',
  SERVER_PORT: '80',
  SERVER_PROTOCOL: 'HTTP/1.1',
  'wsgi.version': [1, 0],
  'wsgi.url_scheme': 'http',
  'wsgi.input': new MemoryInput(new Uint8Array(0)),
  'wsgi.errors': new MemoryErrors(),
  'wsgi.multithread': false,
  'wsgi.multiprocess': false,
  'wsgi.run_once': false,
  'wsgi.input_terminated': true,
  'wsgi.file_wrapper': () => [],
  'viaduct.signal': new AbortController().signal,
  'viaduct.mount': '',
  'viaduct.request_id': '',
  ...params,
});
