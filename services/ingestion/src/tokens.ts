/** Injection token of the Intake. */
export const INTAKE = Symbol('Intake');
