{#-
  A condition on recorded_at: within the time in which readings have equal copies; false where none has. So a comparison
  with raw reads no more of it than it must.
-#}
{% macro when_copies_were_taken() -%}
    {%- set readings = built_relation('stage_sensor_readings') if execute else none -%}
    {%- set sql -%}
        select cast(min(recorded_at) as string), cast(max(recorded_at) as string) from {{ readings }}
        where copy_count > 0
    {%- endset -%}
    {%- set span = run_query(sql)[0] if readings is not none else [none, none] -%}
    {%- if span[0] is none -%}
        false
    {%- else -%}
        recorded_at between timestamp'{{ span[0] }}' and timestamp'{{ span[1] }}'
    {%- endif -%}
{%- endmacro %}
