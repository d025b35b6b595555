export { c4, d2, d3, MAX_RANGE_SUBGROUP } from './constants.js';
export { addNelsonPoint, NELSON_MEMORY } from './nelson.js';
export {
  addValue,
  controlLimits,
  newControlChart,
  type ControlChartSpec,
  type ControlChartState,
  type ControlChartType,
  type ControlLimits,
  type ControlPoint,
  type Limits,
} from './control-chart.js';
export { capability, cpInterval, cpkInterval, type Capability, type ProcessSpread, type Specification } from './capability.js';
export { speLimit, t2Limit } from './multivariate-limits.js';
export { BaselineError, formatMonitorBaseline, parseMonitorBaseline, type MonitorBaseline } from './monitor-baseline.js';
export { fitMonitorBaseline, type MonitorFit } from './pca.js';
export { Monitor, type MonitorScore } from './monitor.js';
export { binOf, driftOf, hasDrifted, kolmogorov, profileOf, stabilityIndex, type Drift, type Profile, type ProfileOptions } from './drift.js';
