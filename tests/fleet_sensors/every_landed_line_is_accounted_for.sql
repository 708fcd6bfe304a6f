-- Guards: for each file of fleet sensors, lines counted at landing = lines in raw.fleet_sensors + lines quarantined,
-- and a refused file has none in either. Without it a line could be lost, or be in twice.
{% set quarantined_lines -%}
    (select path from {{ ref('quarantine_sensor_readings') }} where line is not null)
{%- endset %}

{{ unaccounted_files(ref('sensor_files'), ref('raw_sensor_lines'), ref('raw_fleet_sensors'), quarantined_lines) }}
