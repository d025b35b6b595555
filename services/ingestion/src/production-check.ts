import { ProductionUnit_State, type ProductionRecord } from '@millwright/contracts';
import type { Plant } from '@millwright/plant';
import { MAX_BLOCK_BYTES } from './telemetry-check.js';
import { checkSender, checkTime, type CheckOptions } from './sender-check.js';
import { quoted, type Problems } from './refusal.js';

/** Judges production records (MES) by the plant file. */
export class ProductionCheck {
  constructor(
    private readonly plant: Plant,
    private readonly options: CheckOptions,
  ) {}

  check(record: ProductionRecord, bytes: number, problems: Problems): void {
    if (bytes > MAX_BLOCK_BYTES) {
      problems.add('', 'RECORD_TOO_LARGE', `The record has ${bytes} bytes and at most ${MAX_BLOCK_BYTES} are taken; send fewer parameters in a record.`);
      return;
    }
    checkSender(record, this.plant, problems);
    checkTime('time_us', record.timeUs, record.timeUs, this.options, problems);
    const { body } = record;
    if (body === undefined) {
      problems.add('body', 'NO_BODY', 'The record says nothing; give one of unit, process and inspection.');
      return;
    }
    const { $case: kind, value } = body;
    if (value.unitId === '') problems.add(`${kind}.unit_id`, 'NO_UNIT', 'unit_id is empty; name the piece, batch or lot.');
    if (kind === 'unit' && value.state === ProductionUnit_State.UNSPECIFIED) {
      problems.add('unit.state', 'NO_STATE', 'state is not given; give STATE_STARTED, STATE_COMPLETED or STATE_SCRAPPED.');
    }
    if (kind === 'process') {
      for (const [name, parameter] of Object.entries(value.parameters)) {
        if (!Number.isFinite(parameter)) problems.add(`process.parameters[${quoted(name)}]`, 'NOT_FINITE', `The parameter is ${parameter}; leave it out where there is no value.`);
      }
    }
    if (kind === 'inspection') {
      if (value.characteristic === '') problems.add('inspection.characteristic', 'NO_CHARACTERISTIC', 'characteristic is empty; name what was inspected.');
      if (!Number.isFinite(value.value)) problems.add('inspection.value', 'NOT_FINITE', `value is ${value.value}; give a finite number.`);
    }
  }
}
