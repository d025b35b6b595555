import { describe, expect, it } from '@jest/globals';
import { crc32c } from './crc32c.js';

describe('crc32c', () => {
  it('gives the check values of RFC 3720, appendix B.4', () => {
    const of = (bytes: Uint8Array): string => crc32c(bytes, 0, bytes.length).toString(16);
    expect(of(Buffer.from('123456789'))).toBe('e3069283');
    expect(of(new Uint8Array(32))).toBe('8a9136aa');
    expect(of(new Uint8Array(32).fill(0xff))).toBe('62a8ab43');
    expect(of(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe('46dd794e');
    expect(of(Uint8Array.from({ length: 32 }, (_, i) => 31 - i))).toBe('113fdb5c');
  });

  it('takes the bytes of a stretch only', () => {
    expect(crc32c(Buffer.from('xx123456789yy'), 2, 11)).toBe(0xe3069283);
  });
});
