{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        alias='sensor_readings',
        meta={'scope': 'changed_files_and_days', 'follows': 'raw_fleet_sensors'},
        tblproperties={'delta.dataSkippingStatsColumns': 'recorded_at,path'},
    )
}}

with sensor_values as (
    select * from {{ ref('sensor_values') }}
    where {{ in_scope('recorded_at') }}
),

lines as (
    select * from {{ ref('judged_sensor_lines') }}
    where {{ in_scope('path') }}
),

files_with_such_lines as (
    select
        path,
        loaded_at
    from {{ ref('sensor_files') }}
    where status = 'loaded' and rows_quarantined > 0
),

conflicts as (
    select
        truck_id,
        recorded_at,
        sensor
    from sensor_values
    where value is not null
    group by truck_id, recorded_at, sensor
    having min(value) <> max(value)
),

judged_values as (
    select
        sensor_values.*,
        case
            when sensor_values.sensor is null
                then 'no_column'
            when sensor_values.value is null
                then 'not_a_number'
            when conflicts.sensor is not null
                then 'conflicting'
        end as reason
    from sensor_values
    left join conflicts
        on
            sensor_values.truck_id = conflicts.truck_id
            and sensor_values.recorded_at = conflicts.recorded_at
            and sensor_values.sensor = conflicts.sensor
),

quarantine_sensor_readings as (
    select
        truck_id,
        recorded_at,
        sensor,
        landed_name,
        landed_text,
        cast(null as string) as line,
        array(reason) as reasons,
        path,
        landed_on,
        loaded_at
    from judged_values
    where reason is not null
    union all
    select
        lines.truck_id,
        -- A line has no time of a reading, and so is replaced with its file.
        cast(null as timestamp) as recorded_at,
        null as sensor,
        null as landed_name,
        null as landed_text,
        -- A line that was read before the archive kept it, and whose file has gone, is there by its values.
        coalesce(lines.line, to_json(lines.landed_values)) as line,
        lines.reasons,
        lines.path,
        lines.landed_on,
        lines.loaded_at
    from lines
    -- Lines that were loaded since then are not judged yet.
    inner join files_with_such_lines
        on lines.path = files_with_such_lines.path and lines.loaded_at = files_with_such_lines.loaded_at
    where not lines.is_valid
)

select * from quarantine_sensor_readings
