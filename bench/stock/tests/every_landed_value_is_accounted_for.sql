with landed as (
    select path, sum(size(from_json(line, 'map<string, string>')) - 2) as value_count
    from {{ ref('raw_fleet_sensors') }}
    where get_json_object(line, '$.truck_id') is not null and get_json_object(line, '$.recorded_at') is not null
    group by path
),

accounted as (
    select path, count(*) as value_count from {{ ref('stage_sensor_readings') }} group by path
    union all
    select path, count(*) as value_count from {{ ref('quarantine_sensor_readings') }}
    where reason = 'value_malformed'
    group by path
),

by_file as (
    select path, sum(value_count) as value_count from accounted group by path
)

select * from landed
left join by_file on landed.path = by_file.path
where landed.value_count <> coalesce(by_file.value_count, 0)
