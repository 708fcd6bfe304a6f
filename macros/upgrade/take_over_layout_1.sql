{#-
  Lakes of layout 1: those made before sources were declared. Called on run start, before anything is loaded.

  What they have of other names is taken over here, once: the lines of fleet sensors, which stood in a table of their own, the
  record of the histories, and the tables of ops that are no more. All else is taken over by itself: raw.loaded_files is made of what raw holds
  (_note_what_raw_holds), and tables that follow others by no version yet are made anew. A run that is killed here does it again.
-#}
{% macro _take_over_layout_1() %}
    {%- set place = _place_of('raw_fleet_sensors') -%}
    {%- set archive = _older_lines() -%}
    {%- set source = declared('fleet_sensors') -%}
    {%- if archive is not none and source is not none -%}
        {{ log('The lake is of an older layout: its lines of fleet sensors are taken over.', info=True) }}
        {%- set ops = _place_of('landed_files').schema -%}
        {%- set states = load_relation(api.Relation.create(schema=ops, identifier='sensor_files', type='table')) -%}
        {% call statement('older_lines') -%}
            create or replace temporary view {{ _landed_rows(source) }} as
            select
                -- Lines that were read before the archive kept them are there by their values.
                coalesce(line, '{' || array_join(transform(
                    map_entries(landed_values),
                    pair -> substring(to_json(map(pair.key, '')), 2, length(to_json(map(pair.key, ''))) - 4) || pair.value
                ), ',') || '}') as line,
                path,
                file_modified_at,
                landed_on as _landed_on
            from {{ archive }}
            {%- if states is not none %}
            where path in (select path from {{ states }} where status = 'loaded')
            {%- endif %}
        {%- endcall %}
        {% do run_query('drop table if exists ' ~ place) %}
        {% do _load_lines(source, place, none, {'to_load': [], 'deliveries': []}, is_viewed=true) %}
        {% do _drop_judged_keys(source) %}
        {% do adapter.cache_added(place) %}
    {%- endif -%}
    {%- if archive is not none -%}
        {#- Before the states that tell which of its lines were refused. -#}
        {% do run_query('drop table if exists ' ~ archive) %}
    {%- endif -%}
    {#- The record of the histories, which they read: it stood in ops. -#}
    {%- set record = api.Relation.create(schema=_place_of('landed_files').schema, identifier='history_days', type='table') -%}
    {%- if load_relation(record) is not none and _built_relation('history_days') is none -%}
        {% do _create_delta_table(_built_node('history_days'), _place_of('history_days'), 'select * from ' ~ record) %}
    {%- endif -%}
    {%- for kind, names in [
        ('table', ['history_days', 'event_files', 'sensor_files', 'sensor_keys', 'purchase_files', 'purchase_deliveries']),
        ('view', ['event_intake', 'sensor_intake', 'purchase_intake']),
    ] -%}
        {%- for name in names -%}
            {% do run_query('drop ' ~ kind ~ ' if exists ' ~ _place_of('landed_files').schema ~ '.' ~ name) %}
        {%- endfor -%}
    {%- endfor -%}
{% endmacro %}


{#- Whether the lake is of layout 1: it has tables of raw, and nothing that says what they hold. -#}
{% macro _is_of_layout_1() %}
    {%- for source in _declared_sources() if _built_relation('raw_' ~ source.name) is not none -%}
        {{ return(true) }}
    {%- endfor -%}
    {#- A run that took it over may have been killed when it had dropped one of them. -#}
    {{ return(_older_lines() is not none) }}
{% endmacro %}


{#- The table that lines of fleet sensors stood in, none where there is none. -#}
{% macro _older_lines() %}
    {{ return(load_relation(
        api.Relation.create(schema=_place_of('raw_fleet_sensors').schema, identifier='sensor_lines', type='table')
    )) }}
{% endmacro %}
