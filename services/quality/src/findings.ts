import { Finding } from '@millwright/contracts';
import type { Asset } from '@millwright/plant';

/** A finding about a chart of an asset. */
export function finding(asset: Asset, chart: string, fields: Partial<Finding>): Finding {
  return Finding.fromPartial({ asset: asset.id, kind: asset.kind.name, chart: `${asset.id}/${chart}`, ...fields });
}

/** A number as people want to read it. */
export function short(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(5))) : String(value);
}
