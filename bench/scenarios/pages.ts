// A larger answer, and a larger request.
import { BASELINE } from '../backends/all.ts';
import { uwsgi } from '../backends/python.ts';
import { viaductFastcgi, viaductUwsgi } from '../backends/viaduct.ts';
import { PAGE_COLUMNS, ratioColumn } from '../lib/columns.ts';
import { askPages } from '../lib/drive.ts';
import { JSON_TEXT } from '../lib/json-text.ts';
import { behindNginx } from '../lib/measure.ts';
import type { RatioColumn, Scenario } from '../lib/scenario.ts';
import { HELLO } from './hello.ts';

const RATIOS: readonly RatioColumn[] = [
  ratioColumn(`CPU/request : ${BASELINE.name}`, 'cpu', BASELINE.name),
  ratioColumn(`requests/s : ${BASELINE.name}`, 'rate', BASELINE.name),
];

export const json: Scenario = {
  name: 'json',
  title: '16 KiB of JSON',
  about: [`a text of ${JSON_TEXT.length} bytes that is there; each request turns it into bytes`],
  rounds: 3,
  cases: [BASELINE, viaductFastcgi, viaductUwsgi].map((backend) =>
    behindNginx(backend, {
      app: 'json',
      drive: ({ connections }) => askPages({ connections, wanted: JSON_TEXT }),
    }),
  ),
  ratios: RATIOS,
  figures: PAGE_COLUMNS,
};

/** nginx sends at most 65,535 bytes of params over uwsgi (ngx_http_uwsgi_module.c); its stock ones come on top. */
const LONG_HEADERS = Array.from({ length: 8 }, (_, index) => [`X-Long-${index}`, 'v'.repeat(7_950)] as const);

export const params: Scenario = {
  name: 'params',
  title: '64 KB of params',
  about: [
    'the small page, asked for with 8 headers of 7,950 bytes each; nginx: large_client_header_buffers 8 8k',
    "node:http's maxHeaderSize is raised to 64 KiB, uWSGI's buffer-size to 65,535; viaduct's limits are its defaults",
  ],
  rounds: 3,
  cases: [BASELINE, viaductFastcgi, viaductUwsgi, uwsgi].map((backend) =>
    behindNginx(backend, {
      app: 'hello',
      drive: ({ connections }) => askPages({ connections, wanted: HELLO, headers: LONG_HEADERS }),
      front: { server: 'large_client_header_buffers 8 8k;' },
    }),
  ),
  ratios: RATIOS,
  figures: PAGE_COLUMNS,
};
