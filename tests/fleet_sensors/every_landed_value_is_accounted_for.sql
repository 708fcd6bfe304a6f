-- Guards: for each file of fleet sensors, the values of its lines (counted when the line was read, before any column
-- was made of them) = readings + equal copies + values quarantined. Without it a value could be lost on its way to its
-- column, or to stage and quarantine.
{% set source = declared('fleet_sensors') %}
{% set in_time = when_copies_were_taken(ref('stage_sensor_readings'), source) %}

with landed as (
    select
        path,
        sum(value_count) as value_count
    from {{ ref('raw_fleet_sensors') }}
    group by path
),

readings as (
    select * from {{ ref('stage_sensor_readings') }}
),

readings_with_copies as (
    select * from readings
    where copy_count > 0
),

sensor_values as (
    {{ line_values(ref('judged_fleet_sensors'), source, 'sensor', in_time) }}
),

-- The reading itself and its copies, by the files that they are in.
copies as (
    select
        sensor_values.path,
        count(*) as value_count
    from sensor_values
    inner join readings_with_copies
        on
            sensor_values.truck_id = readings_with_copies.truck_id
            and sensor_values.recorded_at = readings_with_copies.recorded_at
            and sensor_values.sensor = readings_with_copies.sensor
            and sensor_values.value is not null
    group by sensor_values.path
),

accounted as (
    select
        path,
        count(*) as value_count
    from readings
    where copy_count = 0
    group by path
    union all
    select * from copies
    union all
    select
        path,
        count(*) as value_count
    from {{ ref('quarantine_sensor_readings') }}
    where line is null
    group by path
),

accounted_by_file as (
    select
        path,
        sum(value_count) as value_count
    from accounted
    group by path
)

select
    coalesce(landed.path, accounted_by_file.path) as path,
    landed.value_count as in_raw,
    accounted_by_file.value_count as accounted_for
from landed
full outer join accounted_by_file on landed.path = accounted_by_file.path
where coalesce(landed.value_count, 0) <> coalesce(accounted_by_file.value_count, 0)
