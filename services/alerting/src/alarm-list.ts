import { AlarmGroup, AlarmState, type Alarm, type ListAlarmsResponse } from '@millwright/contracts';

/** Where an alarm stands in the list: priority of its asset, asset, its own priority, time raised, id. */
type Position = readonly [groupPriority: number, asset: string, priority: number, raisedUs: number, id: string];

/** Most urgent first: the assets by their highest priority, an asset's alarms by priority, then the newest first. */
function compare(a: Position, b: Position): number {
  return b[0] - a[0] || order(a[1], b[1]) || b[2] - a[2] || b[3] - a[3] || order(a[4], b[4]);
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * One page of the alarms that are not normal, grouped by asset. An asset's group may go on on the next page.
 * The token says where the page ended, so pages fit together also when alarms come and go in between.
 *
 * @returns undefined when the token is not one that this function gave
 */
export function listAlarms(alarms: Iterable<Alarm>, pageSize: number, pageToken: string): ListAlarmsResponse | undefined {
  const after = pageToken === '' ? undefined : decodeToken(pageToken);
  if (pageToken !== '' && after === undefined) return undefined;
  const open = [...alarms].filter(({ state }) => state !== AlarmState.NORMAL);
  const groupPriority = new Map<string, number>();
  for (const { asset, priority } of open) groupPriority.set(asset, Math.max(priority, groupPriority.get(asset) ?? 0));
  const listed = open
    .map((alarm) => ({ alarm, position: [groupPriority.get(alarm.asset)!, alarm.asset, alarm.priority, alarm.raisedUs, alarm.id] as const }))
    .filter(({ position }) => after === undefined || compare(position, after) > 0)
    .sort((a, b) => compare(a.position, b.position));
  const page = listed.slice(0, pageSize);
  const groups: AlarmGroup[] = [];
  for (const { alarm, position } of page) {
    if (groups.at(-1)?.asset !== alarm.asset) groups.push({ asset: alarm.asset, priority: position[0], alarms: [] });
    groups.at(-1)!.alarms.push(alarm);
  }
  return { groups, nextPageToken: listed.length > page.length ? encodeToken(page.at(-1)!.position) : '' };
}

const encodeToken = (position: Position): string => Buffer.from(JSON.stringify(position)).toString('base64url');

function decodeToken(token: string): Position | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch {
    return undefined; // Not JSON, so not a token of ours; the caller says so to the client.
  }
  const types = ['number', 'string', 'number', 'number', 'string'];
  return Array.isArray(value) && value.length === types.length && types.every((type, i) => typeof value[i] === type) ? (value as unknown as Position) : undefined;
}
