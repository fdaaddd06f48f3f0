// A real Chromium for one test file: started once, with nothing kept and nothing asked of the network. Knows no page.
import { type Browser, chromium } from 'playwright-core';

/** Debian's. */
const PROGRAM = '/usr/bin/chromium';
const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Its profile is in a temporary folder, which goes with it. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: PROGRAM, args: ARGUMENTS });
}
