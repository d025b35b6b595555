"""Event-time windows: closed when all live signals have reached their end, amended by late samples for the grace after that.

The rules of services/features/src/kind-windows.ts for windows without overlap and regular float32 samples."""

import math
import struct

import numpy as np

from features import Extractor
from millwright.features.v1.features_pb2 import FeatureVector
from millwright.telemetry.v1.telemetry_pb2 import ENCODING_FLOAT32, TelemetryBlock

REFERENCES = 64
NEVER = -(1 << 62)
FOREVER = 1 << 62
HEADER = struct.Struct("<qqII")


class AssetState:
    """What is remembered of an asset beside the samples of its windows."""

    def __init__(self, stored, signals):
        self.record = np.dtype([("index", "<i8"), ("revision", "<i4"), ("empty", "u1"), ("means", "<f8", (signals,))])
        if stored is None:
            self.clock_us, self.begin_us = NEVER, FOREVER
            self.last_us = [NEVER] * signals
            # Windows whose samples are kept, and the slots that hold them: slots are used again, so that nothing is ever deleted.
            self.kept = {}
            self.published = np.empty(0, self.record)
            return
        self.clock_us, self.begin_us, kept, published = HEADER.unpack_from(stored)
        at = HEADER.size
        self.last_us = np.frombuffer(stored, "<i8", signals, at).tolist()
        at += 8 * signals
        windows = np.frombuffer(stored, "<i8", 2 * kept, at).tolist()
        self.kept = dict(zip(windows[:kept], windows[kept:]))
        self.published = np.frombuffer(stored, self.record, published, at + 16 * kept)

    def encode(self):
        times = np.array([*self.last_us, *self.kept.keys(), *self.kept.values()], dtype="<i8")
        return HEADER.pack(self.clock_us, self.begin_us, len(self.kept), len(self.published)) + times.tobytes() + self.published.tobytes()

    def keep(self, k):
        used = self.kept.values()
        self.kept[k] = next(slot for slot in range(len(self.kept) + 1) if slot not in used)

    def count_up_to(self, k):
        return int(np.searchsorted(self.published["index"], k, side="right"))

    def find(self, k):
        count = self.count_up_to(k)
        return count - 1 if count > 0 and self.published["index"][count - 1] == k else None

    def publish(self, k, empty, means):
        """Returns the revision."""
        at = self.find(k)
        if at is None:
            row = np.array([(k, 0, empty, means)], dtype=self.record)
            count = self.count_up_to(k)
            self.published = np.concatenate((self.published[:count], row, self.published[count:]))
            return 0
        self.published = self.published.copy()
        revision = int(self.published["revision"][at]) + 1
        self.published[at] = (k, revision, empty, means)
        return revision


class Windows:
    """The windows of the assets of one kind."""

    def __init__(self, kind):
        self.kind = kind
        self.length_us = kind["lengthUs"]
        self.grace_us = kind["graceUs"]
        self.final_after = max(1, -(-self.grace_us // self.length_us))
        self.extractor = Extractor(kind)
        self.signals = self.extractor.signals
        self.places = {signal.name: s for s, signal in enumerate(self.signals)}
        self.bounds = np.cumsum([0] + [signal.expected for signal in self.signals]).tolist()

    def take(self, asset, block, state):
        """Returns the encoded FeatureVectors that the block gives rise to."""
        kept = AssetState(state.get_bytes("asset"), len(self.signals))
        touched = {}
        vectors = []
        first_open = max(self.first_amendable(kept), block.start_us // self.length_us)
        for values in block.signals:
            self.put(kept, block, values, first_open, touched, state)
        for k in sorted(touched):
            if (k + 1) * self.length_us <= kept.clock_us and k * self.length_us > kept.begin_us:
                vectors.append(self.publish(asset, kept, k, touched, state))
        self.advance(asset, kept, touched, state, vectors)
        for k, window in touched.items():
            if k in kept.kept:
                state.set_bytes(f"window/{kept.kept[k]}", window.tobytes())
        state.set_bytes("asset", kept.encode())
        return vectors

    def first_amendable(self, kept):
        return (kept.clock_us - self.grace_us) // self.length_us

    def put(self, kept, block, values, first_open, touched, state):
        """Puts the samples of a signal in their windows."""
        if values.encoding != ENCODING_FLOAT32:
            raise ValueError("only float32 is taken here")
        s = self.places[values.signal]
        signal = self.signals[s]
        samples = np.frombuffer(values.values, "<f4")
        start_us, interval_us, count = block.start_us, block.interval_us, block.count
        kept.last_us[s] = max(kept.last_us[s], round(start_us + (count - 1) * interval_us))
        i = 0
        while i < count:
            time_us = math.floor(start_us + i * interval_us + 0.5)
            k = time_us // self.length_us
            window_us = k * self.length_us
            rest = min(count - i, max(1, math.ceil((window_us + self.length_us - time_us) / interval_us)))
            if k >= first_open:
                kept.begin_us = min(kept.begin_us, int(time_us - signal.interval_us))
                slot = round((time_us - window_us) / signal.interval_us)
                there = min(rest, signal.expected - slot)
                at = self.bounds[s] + slot
                self.window(kept, k, touched, state)[at : at + there] = samples[i : i + there]
            i += rest

    def window(self, kept, k, touched, state):
        """Samples of all signals, one after the other; NaN where missing."""
        window = touched.get(k)
        if window is None:
            if k in kept.kept:
                window = np.frombuffer(state.get_bytes(f"window/{kept.kept[k]}"), "<f4").copy()
            else:
                window = np.full(self.bounds[-1], np.nan, dtype="<f4")
                kept.keep(k)
            touched[k] = window
        return window

    def advance(self, asset, kept, touched, state, vectors):
        before = kept.clock_us
        kept.clock_us = max(before, self.reached_us(kept))
        if kept.clock_us == before:
            return
        k = self.next(kept, before // self.length_us)
        while (k + 1) * self.length_us <= kept.clock_us:
            if self.is_due(kept, k):
                vectors.append(self.publish(asset, kept, k, touched, state))
            k = self.next(kept, k + 1)
        first = self.first_amendable(kept)
        kept.kept = {window: slot for window, slot in kept.kept.items() if window >= first}
        unneeded = kept.count_up_to(first - self.final_after - 1) - REFERENCES
        if unneeded > 0:
            kept.published = kept.published[unneeded:]

    def reached_us(self, kept):
        """The time that all signals have reached that sent something since the last published window."""
        full = np.flatnonzero(kept.published["empty"] == 0)
        live_since_us = int(kept.published["index"][full[-1]]) * self.length_us if len(full) > 0 else NEVER
        reached = [
            last_us if last_us == NEVER else last_us + math.ceil(signal.interval_us)
            for last_us, signal in zip(kept.last_us, self.signals)
            if last_us >= live_since_us
        ]
        return min(reached, default=NEVER)

    def next(self, kept, k):
        """The first window from k on that may be published: it has samples, or follows one that was not empty."""
        if len(kept.published) > 0:
            last = kept.published[-1]
            if last["index"] == k - 1 and not last["empty"]:
                return k
        return min((window for window in kept.kept if window >= k), default=FOREVER)

    def is_due(self, kept, k):
        if k in kept.kept:
            return k * self.length_us > kept.begin_us
        previous = kept.find(k - 1)
        return previous is not None and not kept.published["empty"][previous]

    def publish(self, asset, kept, k, touched, state):
        empty = k not in kept.kept
        window = np.full(self.bounds[-1], np.nan, dtype="<f4") if empty else self.window(kept, k, touched, state)
        samples = [window[self.bounds[s] : self.bounds[s + 1]] for s in range(len(self.signals))]
        end = kept.count_up_to(k - self.final_after)
        values = self.extractor.extract(samples, kept.published["means"][max(0, end - REFERENCES) : end])
        means = values[self.extractor.means_at]
        return FeatureVector(
            asset=asset,
            kind=self.kind["name"],
            window_start_us=k * self.length_us,
            window_end_us=(k + 1) * self.length_us,
            revision=kept.publish(k, empty, means),
            layout=self.kind["layout"],
            values=values.tobytes(),
            missing_ratio=self.extractor.missing_ratio(values),
            silent_signals=[self.signals[s].name for s in np.flatnonzero(np.isnan(means))],
        ).SerializeToString()


class FeaturesJob:
    schema = "millwright.features.v1.FeatureVector"

    def __init__(self, job):
        self.windows = {name: Windows(kind) for name, kind in job["kinds"].items()}
        self.kinds = job["assets"]

    def __call__(self, value, key, timestamp, headers, state):
        return self.windows[self.kinds[key]].take(key, TelemetryBlock.FromString(value), state)
