export { createSimulator, createTrainingRun, SimulationError, type PlantSimulator, type TrainingRun } from './simulator.js';
