import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isScalar, LineCounter, parseDocument, visit, type Document } from 'yaml';
import type { z } from 'zod';
import { checkKind, checkReplay, checkSimulation } from './checks.js';
import type { AlarmRule, AlarmSpec, Asset, AssetKind, ChartSpec, Micros, Plant, ReplaySpec, ScheduledFault, Signal, SimulationSpec } from './model.js';
import { suggestion } from './nearest.js';
import { MOST_PROBLEMS, PlantFileError, Problems, type Path } from './problems.js';
import {
  areaSchema, chartSchema, faultSchema, kindSchema, lineSchema, plantSchema, replaySchema, sentence, signalSchema, simulationSchema, siteSchema, unitSchema,
  type AlarmRuleEntry, type ChartEntry, type KindEntry, type SignalEntry,
} from './schema.js';

/**
 * Reads a plant file.
 * @throws PlantFileError with every problem that the file has, as far as people can use them: see MOST_PROBLEMS
 */
export function loadPlant(path: string): Plant {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new PlantFileError([{ file: path, line: 1, path: '', message: `can't be read (${(error as Error).message}); give the path of a plant.yaml` }]);
  }
  return parsePlant(text, path);
}

/** Reads a plant from YAML text; `path` is where it stands, for messages and for what lies beside it. */
export function parsePlant(text: string, path: string): Plant {
  const lines = new LineCounter();
  // The parser would compare each key with all before it: minutes, in a plant of a hundred thousand assets.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const errors = document.errors.map(({ pos, message }) => ({ offset: pos[0], message }));
  if (errors.length === 0) errors.push(...repeatedKeys(document).map((offset) => ({ offset, message: 'Map keys must be unique' })), ...danglingAliases(document));
  if (errors.length > 0) {
    const told = errors.slice(0, MOST_PROBLEMS).map(({ offset, message }) => ({ file: path, line: lines.linePos(offset).line, path: '', message: `is not YAML: ${message}` }));
    throw new PlantFileError(told, errors.length - told.length);
  }
  const problems = new Problems(path, document, lines);
  const plant = new Reader(problems).plant(valueOf(document, path), resolve(dirname(path)));
  problems.throwIfAny();
  return plant;
}

/** @throws PlantFileError where aliases are used in a way that has no value: more of them than anybody writes, or within what they name. */
function valueOf(document: Document, path: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw new PlantFileError([{ file: path, line: 1, path: '', message: `is not YAML: ${(error as Error).message}` }]);
  }
}

/** Aliases of what is named nowhere before them. */
function danglingAliases(document: Document): { readonly offset: number; readonly message: string }[] {
  const found: { readonly offset: number; readonly message: string }[] = [];
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) === undefined) found.push({ offset: alias.range?.[0] ?? 0, message: `*${alias.source} stands for nothing: no &${alias.source} comes before it` });
    },
  });
  return found;
}

/** Where keys stand that their map has already. */
function repeatedKeys(document: Document): number[] {
  const found: number[] = [];
  visit(document, {
    Map(_, { items }) {
      const keys = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        const { value, range } = key;
        if (keys.has(value)) found.push(range?.[0] ?? 0);
        keys.add(value);
      }
    },
  });
  return found;
}

/** Names that become parts of feature names, alarm ids and keys. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;
const NAME_HINT = 'write letters, digits, _ and -, starting with a letter or digit';

class Reader {
  /** Every asset id in the file, also of assets whose kind could not be read: naming them is no mistake. */
  readonly #assetIds = new Set<string>();

  constructor(private readonly problems: Problems) {}

  plant(raw: unknown, directory: string): Plant {
    const top = this.#read([], raw, plantSchema);
    const source = isObject(raw) ? raw : {};
    const kindNames = new Set(isObject(source['kinds']) ? Object.keys(source['kinds']) : []);
    const kinds = this.#kinds(source['kinds']);
    const assets = this.#assets(source['sites'], kinds, kindNames);
    const replay = this.#replay(source['replay'], assets);
    const simulation = this.#simulation(source['simulation'], kindNames);
    return {
      name: top?.name ?? '',
      enterprise: top?.enterprise ?? '',
      directory,
      assets,
      kinds,
      ...(replay && { replay }),
      ...(simulation && { simulation }),
    };
  }

  #kinds(raw: unknown): Map<string, AssetKind> {
    const kinds = new Map<string, AssetKind>();
    for (const [name, path, value] of this.#entries(['kinds'], raw, 'an asset kind')) {
      const signals = this.#entries([...path, 'signals'], isObject(value) ? value['signals'] : undefined, 'a signal').flatMap(([signal, at, entry]) => {
        const read = this.#read(at, entry, signalSchema);
        return read ? this.#signal(signal, read, at) : [];
      });
      const rawCharts = isObject(value) ? value['charts'] : undefined;
      const charts = (rawCharts === undefined ? [] : this.#entries([...path, 'charts'], rawCharts, 'a chart')).flatMap(([chart, at, entry]) => {
        const read = this.#read(at, entry, chartSchema);
        return read ? this.#chart(chart, read, at) : [];
      });
      const read = this.#read(path, value, kindSchema);
      if (read === undefined) continue;
      const kind = assembleKind(name, read, signals, charts);
      // A signal that could not be read was reported already: it is known by name all the same.
      const named = isObject(value) && isObject(value['signals']) ? Object.keys(value['signals']) : [];
      checkKind(kind, named, path, this.problems);
      kinds.set(name, kind);
    }
    return kinds;
  }

  #signal(name: string, entry: SignalEntry, path: Path): Signal[] {
    if ((entry.rate === undefined) === (entry.every === undefined)) {
      this.problems.add(path, 'needs either rate (samples per second) or every (time between samples, for example "3min"), and not both');
      return [];
    }
    return [
      {
        name,
        unit: entry.unit,
        ...(entry.description !== undefined && { description: entry.description }),
        rateHz: entry.rate ?? 1e6 / entry.every!,
        min: entry.range[0],
        max: entry.range[1],
        nan: entry.nan,
        ...(entry.spectrum && { spectrum: { bandsHz: entry.spectrum.bands, peaks: entry.spectrum.peaks } }),
        ...(entry.envelope && {
          envelope: { bandHz: entry.envelope.band, speedSignal: entry.envelope.speed, orders: entry.envelope.orders, harmonics: entry.envelope.harmonics },
        }),
      },
    ];
  }

  #chart(name: string, entry: ChartEntry, path: Path): ChartSpec[] {
    const { feature, characteristic } = entry;
    if ((feature === undefined) === (characteristic === undefined)) {
      this.problems.add(path, 'needs either feature (for example temperature.mean) or characteristic (an inspected one, for example diameter), and not both');
      return [];
    }
    const subgroup = entry.subgroup ?? (entry.type === 'i-mr' ? 1 : 5);
    if (entry.type === 'i-mr' ? subgroup !== 1 : subgroup < 2 || subgroup > 25) {
      this.problems.add([...path, 'subgroup'], `${subgroup} does not go with ${entry.type}; write ${entry.type === 'i-mr' ? '1 or leave it out' : '2 to 25'}`);
      return [];
    }
    const { lower, target, upper, minimumCpk } = entry.spec ?? {};
    if (lower !== undefined && upper !== undefined && lower >= upper) {
      this.problems.add([...path, 'spec'], `lower ${lower} is not below upper ${upper}; exchange them`);
    }
    if (minimumCpk !== undefined && lower === undefined && upper === undefined) {
      this.problems.add([...path, 'spec', 'minimumCpk'], 'needs a lower or upper specification limit beside it');
    }
    return [
      {
        name,
        type: entry.type,
        source: feature !== undefined ? { feature } : { characteristic: characteristic! },
        subgroup,
        baseline: entry.baseline,
        rules: entry.rules,
        ...(lower !== undefined && { lowerSpec: lower }),
        ...(upper !== undefined && { upperSpec: upper }),
        ...(target !== undefined && { target }),
        ...(minimumCpk !== undefined && { minimumCpk }),
      },
    ];
  }

  #assets(raw: unknown, kinds: ReadonlyMap<string, AssetKind>, kindNames: ReadonlySet<string>): Map<string, Asset> {
    const assets = new Map<string, Asset>();
    for (const [site, sitePath, siteRaw] of this.#entries(['sites'], raw, 'a site', TITLE)) {
      const areas = this.#read(sitePath, siteRaw, siteSchema)?.areas;
      for (const [area, areaPath, areaRaw] of this.#entries([...sitePath, 'areas'], areas, 'an area', TITLE)) {
        const lines = this.#read(areaPath, areaRaw, areaSchema)?.lines;
        for (const [line, linePath, lineRaw] of this.#entries([...areaPath, 'lines'], lines, 'a line', TITLE)) {
          const units = this.#read(linePath, lineRaw, lineSchema)?.units;
          for (const [id, path, unitRaw] of this.#entries([...linePath, 'units'], units, 'a unit', ASSET_ID)) {
            const taken = this.#assetIds.has(id);
            if (taken) this.problems.add(path, `asset id ${id} is taken by another unit already; ids are unique in the plant, choose another`);
            this.#assetIds.add(id);
            const unit = this.#read(path, unitRaw, unitSchema);
            if (unit === undefined) continue;
            const kind = kinds.get(unit.kind);
            if (!kindNames.has(unit.kind)) this.problems.add([...path, 'kind'], `there is no kind ${unit.kind}; ${suggestion(unit.kind, kindNames)}`);
            if (kind && !taken) assets.set(id, { id, kind, site, area, line, description: unit.description });
          }
        }
      }
    }
    return assets;
  }

  #replay(raw: unknown, assets: ReadonlyMap<string, Asset>): ReplaySpec | undefined {
    if (raw === undefined) return undefined;
    const entry = this.#read(['replay'], raw, replaySchema);
    if (entry === undefined) return undefined;
    const signals = assets.get(entry.asset)?.kind.signals ?? [];
    const rate = signals[0]?.rateHz ?? 1;
    const replay: ReplaySpec = {
      asset: entry.asset,
      columns: entry.columns ?? signals.map(({ name }) => name),
      startUs: entry.start ?? 0,
      intervalUs: entry.interval ?? 1e6 / rate,
      ...(entry.timeColumn !== undefined && { timeColumn: entry.timeColumn }),
      ...(entry.assetColumn !== undefined && { assetColumn: entry.assetColumn }),
      ...(entry.ignoredColumns !== undefined && { ignoredColumns: entry.ignoredColumns }),
    };
    checkReplay(replay, assets, this.#assetIds, this.problems);
    return replay;
  }

  #simulation(raw: unknown, kindNames: ReadonlySet<string>): SimulationSpec | undefined {
    if (raw === undefined) return undefined;
    const rawFaults = isObject(raw) ? raw['faults'] : undefined;
    if (rawFaults !== undefined && !Array.isArray(rawFaults)) this.problems.add(['simulation', 'faults'], 'is not a list; write one "- asset: ..." entry per fault');
    const faults: ScheduledFault[] = (Array.isArray(rawFaults) ? (rawFaults as unknown[]) : []).flatMap((value, i) => {
      const fault = this.#read(['simulation', 'faults', i], value, faultSchema);
      return fault
        ? { asset: fault.asset, fault: fault.fault, afterUs: fault.after, durationUs: fault.lasts, severity: fault.severity, growthUs: fault.growth }
        : [];
    });
    const entry = this.#read(['simulation'], raw, simulationSchema);
    if (entry === undefined) return undefined;
    const simulation: SimulationSpec = {
      seed: entry.seed,
      startUs: entry.start,
      machines: entry.machines,
      faults,
      ...(entry.repeatEvery !== undefined && { repeatEveryUs: entry.repeatEvery }),
    };
    checkSimulation(simulation, this.#assetIds, kindNames, this.problems);
    return simulation;
  }

  /** The entries of a map whose keys are names; anything else is a problem. */
  #entries(path: Path, raw: unknown, what: string, names = { pattern: NAME, hint: NAME_HINT }): [string, Path, unknown][] {
    if (!isObject(raw) || Object.keys(raw).length === 0) {
      this.problems.add(path, `is ${raw === undefined || raw === null ? 'missing' : 'not right here'}; write at least ${what.replace(/^an? /, 'one ')} under its name`);
      return [];
    }
    return Object.entries(raw).map(([name, value]) => {
      if (!names.pattern.test(name)) this.problems.add([...path, name], `${JSON.stringify(name)} can't name ${what}; ${names.hint}`);
      return [name, [...path, name], value];
    });
  }

  /** What the schema makes of the value; its problems are reported and give undefined. */
  #read<S extends z.ZodType>(path: Path, value: unknown, schema: S): z.output<S> | undefined {
    const result = schema.safeParse(value, { reportInput: true });
    if (result.success) return result.data;
    for (const issue of result.error.issues) {
      const at = [...path, ...issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step))];
      if (issue.code === 'unrecognized_keys') issue.message.split('\n').forEach((message, i) => { this.problems.add([...at, issue.keys[i]!], message); });
      else this.problems.add(at, sentence(issue));
    }
    return undefined;
  }
}

const TITLE = { pattern: /^[^/~][^/]*$/, hint: 'leave out / and a leading ~' };
const ASSET_ID = { pattern: /^[A-Za-z0-9][A-Za-z0-9_.:-]*$/, hint: 'write letters, digits, _, -, . and :, starting with a letter or digit' };

function assembleKind(name: string, entry: KindEntry, signals: readonly Signal[], charts: readonly ChartSpec[]): AssetKind {
  const { length, hop, grace } = entry.window;
  return {
    name,
    window: { lengthUs: length, hopUs: hop, graceUs: grace ?? 2 * hop },
    signals,
    models: entry.models,
    charts,
    ...(entry.monitor && { monitor: entry.monitor }),
    alarms: alarms(entry, hop),
  };
}

/** Delays count in hops by default: one odd window raises nothing, and a fault is raised by its third. */
function alarms(entry: KindEntry, hopUs: Micros): AlarmSpec {
  const { diagnosis, finding, silentSignal, faultPriority } = entry.alarms ?? {};
  return {
    diagnosis: rule(diagnosis, { priority: 'high', onAt: 0.8, offBelow: 0.5, onDelayUs: 2 * hopUs, offDelayUs: 3 * hopUs }),
    finding: rule(finding, { priority: 'medium', onAt: 1, offBelow: 0.9, onDelayUs: 2 * hopUs, offDelayUs: 3 * hopUs }),
    silentSignal: rule(silentSignal, { priority: 'low', onAt: 1, offBelow: 1, onDelayUs: 3 * hopUs, offDelayUs: hopUs }),
    faultPriority: faultPriority ?? {},
  };
}

function rule(entry: AlarmRuleEntry | undefined, defaults: AlarmRule): AlarmRule {
  return {
    priority: entry?.priority ?? defaults.priority,
    onAt: entry?.onAt ?? defaults.onAt,
    offBelow: entry?.offBelow ?? Math.min(defaults.offBelow, entry?.onAt ?? defaults.onAt),
    onDelayUs: entry?.onDelay ?? defaults.onDelayUs,
    offDelayUs: entry?.offDelay ?? defaults.offDelayUs,
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
