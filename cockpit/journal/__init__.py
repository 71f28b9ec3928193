"""The record of a cutover: readings, entries and actions, stored so that they can be verified afterwards.

folder = RecordFolder.create(plan.name, Path(plan.path).read_bytes(), now)      # or find_record(name), to go on
journal = Journal.open(folder.journal, writer_name(person), folder.id, actor=actor, body={"plan_digest": plan.digest})
readings = ReadingStore(folder.readings, journal.writer)         # readings.put(probe, reading) for every reading
writer_thread = WriterThread(journal, readings)                  # a thread of its own: nothing below waits for the disk
record = PersistedRecord(writer_thread, lambda: actor)          # what the Watch decides by, with everything kept so far
sync = Sync(folder.journal, store_at("s3://bucket/prefix"), [journal.writer])  # a shared session: once() every few s
"""
