{#- The options of a view of what has landed of a source. -#}
{% macro landed(source) -%}
    path '{{ env_var("STOCK_LANDING") }}/{{ source }}', header 'true', recursiveFileLookup 'true'
{%- endmacro %}


{#- The day of the folder that a row of such a view lies in. -#}
{% macro landed_on() -%}
    to_date(regexp_extract(input_file_name(), '([0-9]{4}/[0-9]{2}/[0-9]{2})/[^/]*$', 1), 'yyyy/MM/dd')
{%- endmacro %}


{#- In a run that adds, the rows of days after the newest that the table has. -#}
{% macro only_new_days() -%}
    {% if is_incremental() %}
    where landed_on > (select coalesce(max(landed_on), date'0001-01-01') from {{ this }})
    {% endif %}
{%- endmacro %}


{#- The start of the ten minutes that a time is in. -#}
{% macro window_start(column) -%}
    timestamp_seconds(unix_seconds({{ column }}) - pmod(unix_seconds({{ column }}), 600))
{%- endmacro %}


{#- Each layer is a schema of that name. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}
