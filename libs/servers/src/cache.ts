import { join } from 'node:path';

const repository = join(import.meta.dirname, '../../..');

/** Where what is fetched once is kept: MILLWRIGHT_CACHE, else `.millwright/cache` in the checkout. */
export const cacheFolder = (): string => process.env['MILLWRIGHT_CACHE'] ?? join(repository, '.millwright/cache');

/** The pinned pom and the checksums of the jars. */
export const kafkaPins = join(import.meta.dirname, '../kafka');
