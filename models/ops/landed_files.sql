{{ config(materialized='table') }}

with judged_files as (
    select
        'events' as source,
        *
    from {{ ref('event_files') }}
    where status <> 'gone'
    union all
    select
        'fleet_sensors' as source,
        *
    from {{ ref('sensor_files') }}
    where status <> 'gone'
),

-- What cannot be taken of a delivery leaves what raw holds as it is, so that only the intake knows of it.
refused_purchase_files as (
    select * from {{ ref('purchase_intake') }}
    where is_listed and fault is not null
),

purchase_files as (
    select * from {{ ref('purchase_files') }}
    where path not in (select refused_purchase_files.path from refused_purchase_files)
),

taken_files as (
    select
        source,
        path,
        size,
        modified_at,
        loaded_at,
        rows_landed,
        rows_valid,
        rows_quarantined,
        rows_refused,
        status,
        reason
    from judged_files
    union all
    select
        'purchases' as source,
        path,
        size,
        modified_at,
        loaded_at,
        rows_landed,
        rows_valid,
        rows_quarantined,
        0 as rows_refused,
        -- Of such a file the day is kept out of the history.
        if(rows_landed <> rows_valid + rows_quarantined, 'refused', 'loaded') as status,
        if(
            rows_landed <> rows_valid + rows_quarantined,
            format_string('%d rows were counted in it and %d were read', rows_landed, rows_valid + rows_quarantined),
            null
        ) as reason
    from purchase_files
    union all
    select
        'purchases' as source,
        path,
        size,
        modified_at,
        null as loaded_at,
        rows_landed,
        0 as rows_valid,
        0 as rows_quarantined,
        rows_landed as rows_refused,
        'refused' as status,
        fault as reason
    from refused_purchase_files
),

-- What was taken once, by events_path for instance, is known by what became of it.
ignored_files as (
    select ignored_files.*
    from {{ ref('ignored_files') }} as ignored_files
    left anti join taken_files on ignored_files.path = taken_files.path
),

landed_files as (
    select * from taken_files
    union all
    select
        source,
        path,
        size,
        modified_at,
        null as loaded_at,
        null as rows_landed,
        null as rows_valid,
        null as rows_quarantined,
        null as rows_refused,
        'ignored' as status,
        reason
    from ignored_files
)

select * from landed_files
