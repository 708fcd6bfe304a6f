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

landed_files as (
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
        'loaded' as status,
        null as reason
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
)

select * from landed_files
