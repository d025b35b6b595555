import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** PEM files of an authority and of what it signed. */
export interface Certificates {
  readonly ca: string;
  /** Makes a certificate for a name at 127.0.0.1. */
  issue(name: string): { readonly cert: string; readonly key: string; readonly both: string };
}

/** A certificate authority in a folder, by the machine's openssl. */
export function authority(folder: string, name = 'ca'): Certificates {
  const path = (file: string): string => join(folder, file);
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...curve, '-keyout', `${name}.key`, '-out', `${name}.crt`, '-days', '30', '-subj', `/CN=${name}`);
  return {
    ca: path(`${name}.crt`),
    issue(subject) {
      openssl('req', ...curve, '-keyout', `${subject}.key`, '-out', `${subject}.csr`, '-subj', `/CN=${subject}`);
      writeFileSync(path(`${subject}.ext`), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
      openssl('x509', '-req', '-in', `${subject}.csr`, '-CA', `${name}.crt`, '-CAkey', `${name}.key`, '-CAcreateserial', '-out', `${subject}.crt`, '-days', '20', '-extfile', `${subject}.ext`);
      const files = { cert: path(`${subject}.crt`), key: path(`${subject}.key`), both: path(`${subject}.pem`) };
      writeFileSync(files.both, Buffer.concat([readFileSync(files.key), readFileSync(files.cert)]));
      return files;
    },
  };
}
