"""Runs the job of the JSON file that its argument names on Quix Streams, until SIGTERM."""

import json
import sys

from quixstreams import Application

from charts import Charts
from windows import FeaturesJob


def main(path):
    with open(path, encoding="utf-8") as file:
        settings = json.load(file)
    job = FeaturesJob(settings) if settings["job"] == "features" else Charts(settings)
    app = Application(
        broker_address=settings["brokers"],
        consumer_group=settings["name"],
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=settings["commitMs"] / 1000,
        state_dir=settings["folder"],
        auto_create_topics=True,
        producer_extra_config={"linger.ms": 20, "batch.size": 262_144},
        loglevel="WARNING",
    )
    source = app.topic(settings["input"], key_deserializer="str", value_deserializer="bytes")
    sink = app.topic(settings["output"], key_serializer="str", value_serializer="bytes")
    results = app.dataframe(source).apply(job, stateful=True, expand=True, metadata=True)
    headers = [("schema", job.schema.encode())]
    results.set_headers(lambda value, key, timestamp, _: headers).to_topic(sink)
    app.run()


main(sys.argv[1])
