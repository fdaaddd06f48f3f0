// Turns a configuration into the systemd units that fit it: a service, and a socket unit for each systemd:NAME of it.
// Text only: reads and writes no file, asks no systemd.
import { basename, dirname, parse, relative } from 'node:path';
import type { Config, ListenerConfig } from '../../config/types.ts';

export interface UnitInput {
  readonly config: Config;
  /** The configuration's own path, absolute. */
  readonly file: string;
  /** The command that is viaduct, word by word, the first absolute. */
  readonly command: readonly string[];
  /** A template unit: %i, what stands after the @, takes the place of the file's name. */
  readonly template: boolean;
}

export interface Unit {
  /** viaduct.service, say. */
  readonly name: string;
  readonly text: string;
}

/** Seconds on top of what viaduct itself waits for, so that its own end of patience comes first. */
const MARGIN = 15;
const MIN_FILES = 65_536;
/** Descriptors beside the connections: apps open files and connections of their own. */
const FILES_A_CONNECTION = 2;

const HARDENING = [
  'NoNewPrivileges=yes',
  'ProtectSystem=strict',
  'ProtectHome=read-only',
  'PrivateTmp=yes',
  'PrivateDevices=yes',
  'ProtectClock=yes',
  'ProtectControlGroups=yes',
  'ProtectHostname=yes',
  'ProtectKernelLogs=yes',
  'ProtectKernelModules=yes',
  'ProtectKernelTunables=yes',
  'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK',
  'RestrictNamespaces=yes',
  'RestrictRealtime=yes',
  'RestrictSUIDSGID=yes',
  'LockPersonality=yes',
  'SystemCallArchitectures=native',
  'SystemCallFilter=@system-service',
  'SystemCallErrorNumber=EPERM',
  '# Not MemoryDenyWriteExecute=: V8 makes machine code as it runs.',
] as const;

/** The socket units first: the service needs them. */
export function renderUnits(input: UnitInput): Unit[] {
  return [...socketUnits(input), { name: serviceName(input.template), text: renderService(input) }];
}

function renderService({ config, file, command, template }: UnitInput): string {
  const path = template ? `${escape(dirname(file))}/%i.yaml` : escape(file);
  const words = [...command.map(escape), path].map((word) => quote(word.replaceAll('$', '$$$$')));
  const run = (verb: string): string => [...words.slice(0, -1), verb, '-c', ...words.slice(-1)].join(' ');
  const sockets = passedListeners(config).map((listener) => socketName(config, listener, template));
  const boot = config.mounts.reduce((sum, { timeouts }) => sum + timeouts.boot, 0);
  const lines = [
    '[Unit]',
    `Description=viaduct application server${template ? ' (%i)' : ''}`,
    'After=network.target',
    '',
    '[Service]',
    '# viaduct has systemd-notify speak for it: a process of its own, so all of them must be heard.',
    'Type=notify',
    'NotifyAccess=all',
    'Environment=NODE_ENV=production',
    `EnvironmentFile=-/etc/default/viaduct${template ? '-%i' : ''}`,
    `ExecStart=${run('serve')}`,
    `ExecReload=${run('reload')}`,
    ...(sockets.length === 0 ? [] : [`Sockets=${sockets.map(instance).join(' ')}`]),
    `# Loading the apps: timeouts.boot of ${plural(config.mounts.length, 'mount')}.`,
    `TimeoutStartSec=${seconds(boot) + MARGIN}`,
    '# Above timeouts.graceful. TERM goes to the master alone, which ends its workers.',
    `TimeoutStopSec=${seconds(config.timeouts.graceful) + MARGIN}`,
    'KillMode=mixed',
    'WatchdogSec=30',
    'Restart=on-failure',
    'RestartSec=1',
    '# Wrong usage, missing rights and mistakes in the file do not mend themselves.',
    'RestartPreventExitStatus=64 77 78',
    '# A worker that runs out of memory is replaced by viaduct.',
    'OOMPolicy=continue',
    `LimitNOFILE=${Math.max(MIN_FILES, config.limits.connections * FILES_A_CONNECTION + 1024)}`,
    'UMask=0027',
    '',
    ...accountLines(config),
    '',
    ...folderLines(config, template ? parse(file).name : null),
    '',
    ...HARDENING,
    '',
    '[Install]',
    'WantedBy=multi-user.target',
    ...(sockets.length === 0 ? [] : [`Also=${sockets.join(' ')}`]),
  ];
  return `${lines.join('\n')}\n`;
}

/** Who it runs as. Where the file has `user`, viaduct starts as root and gives that up itself. */
function accountLines(config: Config): string[] {
  const bindsLow = config.listeners.some(
    ({ address }) => address.kind === 'tcp' && address.port > 0 && address.port < 1024,
  );
  const bind = bindsLow ? ['CAP_NET_BIND_SERVICE'] : [];
  if (config.user !== null || config.group !== null) {
    const root = ['CAP_SETUID', 'CAP_SETGID', 'CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_KILL'];
    return [
      '# Started as root: the file says whom the apps run as.',
      `CapabilityBoundingSet=${[...root, ...bind].join(' ')}`,
    ];
  }
  const groups = config.listeners.flatMap(({ group }) => (group === null ? [] : [group]));
  return [
    '# Make it with: useradd --system --no-create-home --shell /usr/sbin/nologin viaduct',
    'User=viaduct',
    'Group=viaduct',
    ...(groups.length === 0 ? [] : [`SupplementaryGroups=${[...new Set(groups)].join(' ')}`]),
    `CapabilityBoundingSet=${bind.join(' ')}`,
    ...(bindsLow ? ['AmbientCapabilities=CAP_NET_BIND_SERVICE'] : []),
  ];
}

/**
 * The folders it writes to: those of /run and /var/log systemd makes, the others have to be there.
 * @param own of a template: the name of the file, and so of the folder that is an instance's own
 */
function folderLines({ runDir, listeners, admin, log }: Config, own: string | null): string[] {
  const addresses = [...listeners.map(({ address }) => address), ...(admin === null ? [] : [admin.address])];
  const sockets = addresses.flatMap((address) => (address.kind === 'unix' ? [dirname(address.path)] : []));
  const logs = [log.file, log.access.file].flatMap((file) => (file === null ? [] : [dirname(file)]));
  const folders = [...new Set([runDir, ...sockets, ...logs])];
  const placed = (root: string): string[] =>
    folders.map((folder) => relative(root, folder)).filter((path) => path !== '' && !path.startsWith('..'));
  const [run, logged] = [placed('/run'), placed('/var/log')];
  const others = folders.filter((folder) => !/^\/(?:run|var\/log)\/./.test(folder));
  // One instance must not take the folder of another with it when it stops.
  const place = (path: string): string => {
    if (own === null) return escape(path);
    return basename(path) === own && path.includes('/')
      ? `${escape(dirname(path))}/%i`
      : `${escape(path)}/%i`;
  };
  const list = (paths: readonly string[]): string => paths.map((path) => quote(place(path))).join(' ');
  return [
    ...(run.length === 0 ? [] : [`RuntimeDirectory=${list(run)}`]),
    ...(logged.length === 0 ? [] : [`LogsDirectory=${list(logged)}`]),
    ...(others.length === 0
      ? []
      : ['# They have to be there, and to be its own.', `ReadWritePaths=${list(others)}`]),
  ];
}

function socketUnits({ config, template }: UnitInput): Unit[] {
  return passedListeners(config).map((listener) => {
    const name = socketName(config, listener, template);
    const { address, backlog } = listener;
    const lines = [
      '[Unit]',
      `Description=Socket of viaduct${template ? ' (%i)' : ''}`,
      '',
      '[Socket]',
      '# Where nginx connects. Not in a RuntimeDirectory= of the service, which goes when that stops.',
      `ListenStream=/run/${name.replace('@', '-%i').replace(/\.socket$/, '.sock')}`,
      `FileDescriptorName=${escape(address.name)}`,
      '# nginx has to be able to write to it.',
      'SocketMode=0660',
      'SocketGroup=www-data',
      `Backlog=${backlog}`,
      `Service=${instance(serviceName(template))}`,
      '',
      '[Install]',
      'WantedBy=sockets.target',
    ];
    return { name, text: `${lines.join('\n')}\n` };
  });
}

type PassedListener = ListenerConfig & { address: { kind: 'systemd'; name: string } };

function passedListeners({ listeners }: Config): PassedListener[] {
  return listeners.filter((listener): listener is PassedListener => listener.address.kind === 'systemd');
}

const serviceName = (template: boolean): string => (template ? 'viaduct@.service' : 'viaduct.service');

/** A unit of its own for each name: FileDescriptorName= counts for a whole unit. */
function socketName(config: Config, { address }: PassedListener, template: boolean): string {
  const own = passedListeners(config).length > 1 ? `-${address.name.replaceAll(/[^\w.-]/g, '_')}` : '';
  return `viaduct${own}${template ? '@' : ''}.socket`;
}

/** How one unit of a template names another of the same instance. */
const instance = (name: string): string => name.replace('@.', '@%i.');

const seconds = (ms: number): number => Math.ceil(ms / 1000);

const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** % begins a specifier in every value (systemd.unit(5)); in a command $ begins a variable, too (systemd.service(5)). */
const escape = (text: string): string => text.replaceAll('%', '%%');

function quote(word: string): string {
  return /[\s"'\\;]/.test(word) ? `"${word.replaceAll(/["\\]/g, String.raw`\$&`)}"` : word;
}
