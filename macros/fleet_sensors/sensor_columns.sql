{#- The keys of a line that are not sensors. -#}
{% macro line_keys() %}
    {{ return(['truck_id', 'recorded_at']) }}
{% endmacro %}


{#-
  The columns of sensors that raw.fleet_sensors has, and after them those that this run gives it: a list as named_columns
  gives. A new key gets the next column while there are fewer than max_sensor_columns, in the order of landed day, file
  and name.
-#}
{% macro sensor_columns() %}
    {%- set columns = landed_columns('raw_fleet_sensors') -%}
    {%- set room = var('max_sensor_columns') | int - columns | length -%}
    {%- if execute and room > 0 and built_relation('sensor_keys') is not none -%}
        {%- set sql -%}
            select landed_name from {{ built_relation('sensor_keys') }}
            where landed_name not in {{ text_list(line_keys() + columns | map(attribute='name') | list) }}
            group by landed_name
            order by min(struct(landed_on, path)), landed_name
            limit {{ room }}
        {%- endset -%}
        {% do columns.extend(named_columns(
            run_query(sql).columns[0].values() | list, built_relation('raw_fleet_sensors'), own_columns('raw_fleet_sensors')
        )) %}
    {%- endif -%}
    {{ return(columns) }}
{% endmacro %}


{#- Add the columns that this run gives raw.fleet_sensors, and warn of very many, and of keys that get none. -#}
{% macro add_sensor_columns(relation) %}
    {%- set columns = sensor_columns() -%}
    {%- set new = add_columns(relation, columns) | map(attribute='name') | list -%}
    {%- if new | length > var('max_new_sensors') | int -%}
        {% do exceptions.warn(
            new | length ~ ' new sensors came in one run, more than max_new_sensors (' ~ var('max_new_sensors') ~ '): '
            ~ new[:5] | join(', ') ~ ', ...; each has a column of ' ~ relation
            ~ " now, and 'strata schema' lists them. If they are garbage, look at what sends them."
        ) %}
    {%- endif -%}
    {%- if columns | length >= var('max_sensor_columns') | int -%}
        {%- set names = run_query(
            'select count(distinct landed_name) from ' ~ built_relation('sensor_keys')
            ~ ' where landed_name not in ' ~ text_list(line_keys())
        )[0][0] -%}
        {%- if names > columns | length -%}
            {% do exceptions.warn(
                (names - columns | length) ~ ' keys have no column, for ' ~ relation ~ ' has the '
                ~ var('max_sensor_columns') ~ ' that max_sensor_columns allows: their values are in quarantine. Look at'
                ~ ' what sends them, or raise max_sensor_columns and build with --full-refresh.'
            ) %}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{#-
  The JSON texts in the map `landed_values` as one struct, with a field for each of `columns` by its column's name. Written
  and read once more, for the reader finds a field by its hash; the map would be searched for each column.
-#}
{% macro values_of_sensors(columns) -%}
    {%- if not columns -%}
        {{ return('cast(null as struct<no_sensor: string>)') }}
    {%- endif -%}
    {%- set fields = [] -%}
    {%- for column in columns -%}
        {% do fields.append({'name': column.name, 'type': 'string', 'nullable': true, 'metadata': {}}) %}
    {%- endfor -%}
    cast(
        from_json(
            to_json(landed_values),
            {{ text_literal(tojson({'type': 'struct', 'fields': fields})) }},
            -- A field of this name would be Spark's own: no landed name is as long.
            map('columnNameOfCorruptRecord', '{{ '_' * ((columns | map(attribute='name') | map('length') | max) + 1) }}')
        )
        as struct<`{{ columns | map(attribute='column_name') | join('`: string, `') }}`: string>
    )
{%- endmacro %}


{#- The other way round: the texts of such columns as a map by the columns' names, without those that are null. -#}
{% macro map_of_sensors(columns) -%}
    {%- if not columns -%}
        {{ return('cast(map() as map<string, string>)') }}
    {%- endif -%}
    {%- set names = columns | map(attribute='column_name') | list -%}
    map_filter(
        map_from_arrays(array('{{ names | join("', '") }}'), array(`{{ names | join('`, `') }}`)),
        (name, landed_text) -> landed_text is not null
    )
{%- endmacro %}
