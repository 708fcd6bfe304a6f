-- Guards: for each file, rows counted at landing = rows in raw = valid + quarantined, and for a refused file = refused.
-- Without it a row could be lost, or be in twice, in the load or on its way to stage and quarantine.
with files as (
    select * from {{ ref('event_files') }}
),

raw_rows as (
    select
        path,
        count(*) as row_count
    from {{ ref('raw_events') }}
    group by path
),

valid_rows as (
    select
        path,
        count(*) as row_count
    from {{ ref('stage_events') }}
    group by path
),

quarantined_rows as (
    select
        path,
        count(*) as row_count
    from {{ ref('quarantine_events') }}
    group by path
),

counted as (
    select
        coalesce(files.path, raw_rows.path, valid_rows.path, quarantined_rows.path) as path,
        files.status,
        files.rows_landed,
        files.rows_valid,
        files.rows_quarantined,
        files.rows_refused,
        coalesce(raw_rows.row_count, 0) as in_raw,
        coalesce(valid_rows.row_count, 0) as in_stage,
        coalesce(quarantined_rows.row_count, 0) as in_quarantine
    from files
    full outer join raw_rows on files.path = raw_rows.path
    full outer join valid_rows on coalesce(files.path, raw_rows.path) = valid_rows.path
    full outer join quarantined_rows
        on coalesce(files.path, raw_rows.path, valid_rows.path) = quarantined_rows.path
)

select * from counted
where
    status is null
    or in_stage <> rows_valid
    or in_quarantine <> rows_quarantined
    or in_raw <> in_stage + in_quarantine + rows_refused
    -- A refused file may have more rows counted than could be read: that is then why it is refused.
    or (status = 'loaded' and rows_landed <> in_raw)
