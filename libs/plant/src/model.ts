/** Length of time in microseconds. */
export type Micros = number;

/** The plant: ISA-95 equipment hierarchy, what each asset kind measures and how it is judged. Read from one YAML file. */
export interface Plant {
  readonly name: string;
  readonly enterprise: string;
  /** Folder of the plant file: models/ and baselines/ lie beside it. */
  readonly directory: string;
  readonly assets: ReadonlyMap<string, Asset>;
  readonly kinds: ReadonlyMap<string, AssetKind>;
  /** How plain-column and CSV files of this plant are read. */
  readonly replay?: ReplaySpec;
  /** Seed and fault schedule of the simulated plant, where this is one. */
  readonly simulation?: SimulationSpec;
}

/** A work unit (ISA-95 part 1: enterprise / site / area / line / unit). */
export interface Asset {
  readonly id: string;
  readonly kind: AssetKind;
  readonly site: string;
  readonly area: string;
  readonly line: string;
  readonly description: string;
}

export interface AssetKind {
  readonly name: string;
  readonly window: WindowSpec;
  readonly signals: readonly Signal[];
  /** Names of the model packages (folders under models/) that judge this kind. */
  readonly models: readonly string[];
  /** Control charts on features or inspected characteristics. */
  readonly charts: readonly ChartSpec[];
  /** Multivariate monitoring (PCA: T², SPE) on features, by a baseline file. */
  readonly monitor?: MonitorSpec;
  readonly alarms: AlarmSpec;
}

/**
 * Windows are [k * hop, k * hop + length) of event time, k an integer. hop < length overlaps; hop > length samples
 * (bursts: only data inside windows is used).
 */
export interface WindowSpec {
  readonly lengthUs: Micros;
  readonly hopUs: Micros;
  /** How long after its end a window may still be amended by late data. */
  readonly graceUs: Micros;
}

export interface Signal {
  readonly name: string;
  readonly unit: string;
  /** What is measured, for people. */
  readonly description?: string;
  /** Nominal samples per second; 1/180 for one in three minutes. */
  readonly rateHz: number;
  /** Physically possible values; outside is refused. */
  readonly min: number;
  readonly max: number;
  /** Whether NaN is taken as a missing sample or refused. */
  readonly nan: 'missing' | 'reject';
  /** Feature groups to compute. Statistics are always computed. */
  readonly spectrum?: SpectrumSpec;
  readonly envelope?: EnvelopeSpec;
}

export interface SpectrumSpec {
  /** Band edges in Hz: n + 1 ascending edges make n bands. */
  readonly bandsHz: readonly number[];
  /** Number of dominant frequencies reported. */
  readonly peaks: number;
}

export interface EnvelopeSpec {
  /** Band-pass around the resonance before demodulation, Hz. */
  readonly bandHz: readonly [number, number];
  /** Signal of the same asset with the shaft speed in rpm. */
  readonly speedSignal: string;
  /** Characteristic orders (multiples of shaft speed) by name: bpfo, bpfi, bsf, ftf. */
  readonly orders: Readonly<Record<string, number>>;
  /** Harmonics added up per characteristic frequency. */
  readonly harmonics: number;
}

export interface ChartSpec {
  readonly name: string;
  readonly type: 'xbar-r' | 'xbar-s' | 'i-mr';
  /** `feature` names a feature ("temperature.mean"), `characteristic` an inspected one of production records. */
  readonly source: { readonly feature: string } | { readonly characteristic: string };
  /** Subgroup size; 1 for i-mr. */
  readonly subgroup: number;
  /** Subgroups of phase I: limits are frozen after this many. */
  readonly baseline: number;
  /** Nelson rules in force, 1 to 8. */
  readonly rules: readonly number[];
  /** Specification limits for capability. */
  readonly lowerSpec?: number;
  readonly upperSpec?: number;
  readonly target?: number;
  /** A finding is raised when Cpk falls below. */
  readonly minimumCpk?: number;
}

export interface MonitorSpec {
  /** File under baselines/ made by `millwright quality baseline`. */
  readonly baseline: string;
}

export interface AlarmSpec {
  readonly diagnosis: AlarmRule;
  readonly finding: AlarmRule;
  readonly silentSignal: AlarmRule;
  /** Priority by fault label, where it differs from the rule's. */
  readonly faultPriority: Readonly<Record<string, AlarmPriority>>;
}

export type AlarmPriority = 'low' | 'medium' | 'high' | 'urgent';

export interface AlarmRule {
  readonly priority: AlarmPriority;
  /** Severity (confidence for a diagnosis; value/limit for a finding) at or above which the condition is on ... */
  readonly onAt: number;
  /** ... and below which it is off again: hysteresis. */
  readonly offBelow: number;
  /** The condition must hold this long before the alarm is raised. */
  readonly onDelayUs: Micros;
  /** The condition must be gone this long before the alarm is cleared. */
  readonly offDelayUs: Micros;
}

export interface ReplaySpec {
  /** Asset that rows without an asset column belong to. */
  readonly asset: string;
  /** Signal names of plain columns, in order. */
  readonly columns: readonly string[];
  /** Event time of the first row where the file has no time column, microseconds since the epoch. */
  readonly startUs: Micros;
  /** Time between rows where the file has no time column. */
  readonly intervalUs: Micros;
  /** Names of the time and asset columns in files with a header, where they have them. */
  readonly timeColumn?: string;
  readonly assetColumn?: string;
  /** Columns of files with a header that are no signals and are passed over. */
  readonly ignoredColumns?: readonly string[];
}

export interface SimulationSpec {
  readonly seed: number;
  readonly startUs: Micros;
  /** Which simulated machine (the name libs/simulator knows it by) stands for each asset kind. */
  readonly machines: Readonly<Record<string, string>>;
  readonly faults: readonly ScheduledFault[];
  /** The fault schedule starts again after this long; once only where absent. */
  readonly repeatEveryUs?: Micros;
}

export interface ScheduledFault {
  readonly asset: string;
  /** Fault name that the simulated kind knows. */
  readonly fault: string;
  /** From the start of the simulation. */
  readonly afterUs: Micros;
  readonly durationUs: Micros;
  /** Above 0, at most 1; reached after growing linearly over `growthUs`. */
  readonly severity: number;
  readonly growthUs: Micros;
}
