with counts as (
    select
        (select count(*) from {{ ref('stage_sensor_readings') }}) as in_stage,
        (select coalesce(sum(reading_count), 0) from {{ ref('sensor_windows') }}) as in_windows,
        (select coalesce(sum(reading_count), 0) from {{ ref('sensor_catalog') }}) as in_catalog
)

select * from counts
where in_stage <> in_windows or in_stage <> in_catalog
