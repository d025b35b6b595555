import { readFileSync } from 'node:fs';

/** Paths of PEM files for connections over TLS. */
export interface TlsFiles {
  /** Whom to trust; without it, the authorities that Node knows. */
  readonly ca?: string;
  /** Who this process is, for servers that ask: certificate and key. */
  readonly cert?: string;
  readonly key?: string;
}

/** What the files hold now: certificates are renewed while a process runs. */
export function readTls({ ca, cert, key }: TlsFiles): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
  return {
    ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
    ...(cert === undefined ? {} : { cert: readFileSync(cert) }),
    ...(key === undefined ? {} : { key: readFileSync(key) }),
  };
}
