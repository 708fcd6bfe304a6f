-- Guards: for each file, rows counted at landing = rows in raw = valid + quarantined, and for a refused file = refused.
-- Without it a row could be lost, or be in twice, in the load or on its way to stage and quarantine.
{{ unaccounted_files(ref('event_files'), ref('raw_events'), ref('stage_events'), ref('quarantine_events')) }}
