/** Ends the servers that jest.setup.mjs started. */
export default async function tearDown() {
  await globalThis.millwrightServers?.stop();
}
