// The CGI params nginx should send to viaduct: the one source of the files in deploy/ and of what `viaduct nginx` prints.

export const PARAMS_PROTOCOLS = ['fastcgi', 'uwsgi', 'scgi'] as const;
export type ParamsProtocol = (typeof PARAMS_PROTOCOLS)[number];

interface Group {
  /** Why these are here; '' where the stock files say the same. */
  readonly comment: string;
  readonly params: readonly (readonly [name: string, value: string])[];
}

const REQUEST: Group = {
  comment: '',
  params: [
    ['QUERY_STRING', '$query_string'],
    ['REQUEST_METHOD', '$request_method'],
    ['CONTENT_TYPE', '$content_type if_not_empty'],
    ['CONTENT_LENGTH', '$content_length if_not_empty'],
  ],
};

const PATH: Group = {
  comment: `The whole decoded path as PATH_INFO: viaduct moves the mount's prefix to SCRIPT_NAME. Debian's stock files send
it as SCRIPT_NAME (fastcgi), as PATH_INFO (uwsgi) or not at all (scgi).`,
  params: [
    ['SCRIPT_NAME', '""'],
    ['PATH_INFO', '$document_uri'],
    ['REQUEST_URI', '$request_uri'],
    ['DOCUMENT_URI', '$document_uri'],
    ['DOCUMENT_ROOT', '$document_root'],
  ],
};

const SERVER: Group = {
  comment: '',
  params: [
    ['SERVER_PROTOCOL', '$server_protocol'],
    ['REQUEST_SCHEME', '$scheme'],
    ['HTTPS', '$https if_not_empty'],
    ['GATEWAY_INTERFACE', 'CGI/1.1'],
    ['SERVER_SOFTWARE', 'nginx/$nginx_version'],
    ['SERVER_ADDR', '$server_addr'],
    ['SERVER_PORT', '$server_port'],
    ['SERVER_NAME', '$server_name'],
    ['REMOTE_ADDR', '$remote_addr'],
    ['REMOTE_PORT', '$remote_port'],
    ['REMOTE_USER', '$remote_user if_not_empty'],
  ],
};

const HOST: Group = {
  comment: `The Host header with its port. Debian's stock files send $host, which drops the port, so that an app behind :8080
redirects to :80. The price: of "GET http://a/" with "Host: b" the app sees b. The server blocks \`viaduct nginx\` prints
answer 400 to that; elsewhere, from nginx 1.30 on, $host$is_request_port$request_port has both.`,
  params: [['HTTP_HOST', '$http_host']],
};

const WITHHELD: Group = {
  comment: `Empty means: do not send this request header. HTTP_PROXY would be taken for a setting (httpoxy); the other
three repeat CONTENT_*, or tell of a chunked framing that nginx has taken off already.`,
  params: [
    ['HTTP_PROXY', '""'],
    ['HTTP_CONTENT_TYPE', '""'],
    ['HTTP_CONTENT_LENGTH', '""'],
    ['HTTP_TRANSFER_ENCODING', '""'],
  ],
};

const SCGI: Group = { comment: '', params: [['SCGI', '1']] };

function groupsOf(protocol: ParamsProtocol): Group[] {
  if (protocol !== 'scgi') return [REQUEST, PATH, SERVER, HOST, WITHHELD];
  // The SCGI module writes CONTENT_LENGTH itself, always and first; a second one would break the rules of SCGI.
  const request = { ...REQUEST, params: REQUEST.params.filter(([name]) => name !== 'CONTENT_LENGTH') };
  return [SCGI, request, PATH, SERVER, HOST, WITHHELD];
}

/** Lines `PROTOCOL_param NAME VALUE;` with comments, without indentation. */
export function paramLines(protocol: ParamsProtocol): string[] {
  return groupsOf(protocol).flatMap(({ comment, params }, index) => [
    ...(index > 0 ? [''] : []),
    ...(comment === '' ? [] : comment.split('\n').map((line) => `# ${line}`)),
    ...params.map(([name, value]) => `${protocol}_param  ${name.padEnd(22)} ${value};`),
  ]);
}

/** A whole params file, as deploy/ ships it. */
export function renderParamsFile(protocol: ParamsProtocol): string {
  const head = [
    `# The params viaduct wants from nginx over ${protocol}; include it next to ${protocol}_pass, instead of ${protocol}_params.`,
    `# Printed by: viaduct nginx --params ${protocol}`,
    '',
  ];
  return [...head, ...paramLines(protocol), ''].join('\n');
}
