/** Label of a diagnosis in which no condition that the model knows is probable enough (Diagnosis.label in the proto says more). */
export const UNKNOWN = 'unknown';
