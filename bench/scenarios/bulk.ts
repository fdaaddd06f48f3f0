// 100 MiB to either side, as nginx streams them and as it buffers them.
import { BASELINE } from '../backends/all.ts';
import { viaductFastcgi, viaductUwsgi } from '../backends/viaduct.ts';
import type { AppName } from '../lib/backend.ts';
import { BULK_COLUMNS, ratioColumn } from '../lib/columns.ts';
import { type Drive, downloads, uploads } from '../lib/drive.ts';
import type { FrontSettings } from '../lib/front.ts';
import { behindNginx } from '../lib/measure.ts';
import type { Scenario } from '../lib/scenario.ts';

interface Bulk {
  readonly name: string;
  readonly title: string;
  readonly app: AppName;
  readonly drive: Drive;
  readonly front: FrontSettings;
  readonly about: readonly string[];
}

function bulk({ name, title, app, drive, front, about }: Bulk): Scenario {
  return {
    name,
    title,
    about: [...about, 'one after the other, whole ones; a client on node:http'],
    rounds: 3,
    cases: [BASELINE, viaductFastcgi, viaductUwsgi].map((backend) =>
      behindNginx(backend, {
        app,
        drive: () => drive,
        front: { ...front, server: 'client_max_body_size 0;' },
      }),
    ),
    ratios: [
      ratioColumn(`CPU/GB : ${BASELINE.name}`, 'cpu', BASELINE.name),
      ratioColumn(`MB/s : ${BASELINE.name}`, 'rate', BASELINE.name),
    ],
    figures: BULK_COLUMNS,
  };
}

const DOWNLOAD = {
  app: 'download',
  drive: downloads,
} as const;
const DOWNLOAD_APPS =
  'chunks of 64 KiB with a Content-Length: a generator, and write() until "drain" is needed';

const UPLOAD = {
  app: 'upload',
  drive: uploads,
} as const;
const UPLOAD_APPS = 'the whole body is read and dropped: wsgi.input.read(65536), and "data" events';

export const bulkScenarios: readonly Scenario[] = [
  bulk({
    ...DOWNLOAD,
    name: 'download',
    title: '100 MiB response',
    front: { buffering: false },
    about: [DOWNLOAD_APPS, 'nginx: fastcgi_buffering, uwsgi_buffering and proxy_buffering off'],
  }),
  bulk({
    ...DOWNLOAD,
    name: 'download-buffered',
    title: '100 MiB response, buffered by nginx',
    front: { buffering: true },
    about: [DOWNLOAD_APPS, 'nginx: buffering on for all three, as by default; max_temp_file_size 0'],
  }),
  bulk({
    ...UPLOAD,
    name: 'upload',
    title: '100 MiB upload',
    front: { requestBuffering: false },
    about: [UPLOAD_APPS, 'nginx: request_buffering off for all three'],
  }),
  bulk({
    ...UPLOAD,
    name: 'upload-buffered',
    title: '100 MiB upload, buffered by nginx',
    front: { requestBuffering: true },
    about: [
      UPLOAD_APPS,
      'nginx: request_buffering on for all three, as by default: the body is in a file first',
    ],
  }),
];
