{#-
  What is made of JSON lines whose keys grow: their values as readings, those that are none, and windows. The bodies of the models
  stage_<source>, of its quarantine and of its mart; `lines` is the model judged_<source>, `named` what the column is called that
  tells of which key a value is.
-#}

{#-
  The values of the valid lines of files that are not refused, null being none: key, time, `named` (its column in raw; null
  where it has none), landed_name (of one without a column), landed_text (its JSON), value (null where it is no number), path,
  landed_on, loaded_at.
-#}
{% macro line_values(lines, source, named, condition='true') -%}
    select
        {{ source.key }},
        {{ source.time }},
        {{ named }},
        landed_name,
        landed_text,
        -- -0.0 is 0.
        case
            when {{ named }} is not null and {{ _json_type('landed_text') }} = 'number' then cast(landed_text as double) + 0.0
        end as value,
        path,
        landed_on,
        loaded_at
    from (
        select
            {{ source.key }},
            {{ source.time }},
            inline(concat(
                transform(
                    map_entries({{ _map_of_keys(landed_columns('raw_' ~ source.name)) }}),
                    key -> struct(key.key as {{ named }}, key.value as landed_text, cast(null as string) as landed_name)
                ),
                transform(
                    -- A key may have its column by now.
                    transform(map_entries(other_values), key -> struct({{ _column_of_key('key.key', source) }} as {{ named }}, key)),
                    other -> struct(
                        other.{{ named }} as {{ named }},
                        other.key.value as landed_text,
                        if(other.{{ named }} is null, other.key.key, null) as landed_name
                    )
                )
            )),
            path,
            landed_on,
            loaded_at
        from ({{ _lines_of_loaded_files(lines, source) }})
        where _is_valid and {{ condition }}
    )
{%- endmacro %}


{#- The column in raw that a landed key has, null where it has none. -#}
{% macro _column_of_key(name, source) -%}
    {%- set columns = landed_columns('raw_' ~ source.name) -%}
    {%- if columns -%}
        try_element_at(
            map(
                {%- for column in columns %}
                {{ _text_literal(column.name) }}, '{{ column.column_name }}'{{ ',' if not loop.last }}
                {%- endfor %}
            ),
            {{ name }}
        )
    {%- else -%}
        cast(null as string)
    {%- endif -%}
{%- endmacro %}


{#- The lines of files that are not refused; lines of another load than is noted are not judged yet. -#}
{% macro _lines_of_loaded_files(lines, source) -%}
    select lines.*
    from {{ lines }} as lines
    inner join {{ ref('loaded_files') }} as files
        on lines.path = files.path and lines.loaded_at = files.loaded_at
    where files.source = '{{ source.name }}' and files.reason is null
{%- endmacro %}


{#-
  Readings: a number that a key's holder gave at a time, once, however many equal copies of it landed (`copy_count` besides
  `path`, the first file by name). Where it said different numbers of one thing at one time, none of them is a reading.
-#}
{% macro readings(lines, name, named='name') -%}
    {%- set source = declared(name) -%}
    {%- set scope = changes_of(ref('raw_' ~ name), by=source.time) -%}
    select
        {{ source.key }},
        {{ source.time }},
        {{ named }},
        min(value) as value,
        min(path) as path,
        count(*) - 1 as copy_count
    from ({{ line_values(lines, source, named, in_scope(scope, source.time)) }})
    where value is not null
    group by {{ source.key }}, {{ source.time }}, {{ named }}
    having min(value) = max(value)
{%- endmacro %}


{#-
  What is no reading, of files that are not refused: a value, with the reason not_a_number, no_column or conflicting; or a line
  that is not valid, whole.
-#}
{% macro quarantined_readings(lines, name, named='name') -%}
    {%- set source = declared(name) -%}
    {%- set scope = changes_of(ref('raw_' ~ name), by=['path', source.time]) -%}
    with line_values as (
        {{ line_values(lines, source, named, in_scope(scope, source.time, by=source.time)) }}
    ),

    judged_values as (
        select
            *,
            case
                when {{ named }} is null
                    then 'no_column'
                when value is null
                    then 'not_a_number'
                when
                    min(value) over (partition by {{ source.key }}, {{ source.time }}, {{ named }})
                    <> max(value) over (partition by {{ source.key }}, {{ source.time }}, {{ named }})
                    then 'conflicting'
            end as reason
        from line_values
    )

    select
        {{ source.key }},
        {{ source.time }},
        {{ named }},
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
        _landed_key as {{ source.key }},
        -- A line has no time of a reading, and so is replaced with its file.
        cast(null as timestamp) as {{ source.time }},
        null as {{ named }},
        null as landed_name,
        null as landed_text,
        line,
        _reasons as reasons,
        path,
        landed_on,
        loaded_at
    from ({{ _lines_of_loaded_files(lines, source) }})
    where not _is_valid and {{ in_scope(scope, 'path', by='path') }}
{%- endmacro %}


{#- Windows of readings: for each key and name, those with a reading, from the model stage_<source>. -#}
{% macro reading_windows(stage, name, named='name') -%}
    {%- set source = declared(name) -%}
    {%- set scope = changes_of(stage, by=source.time, replaces='window_start') -%}
    -- Sums of doubles depend on their order: in the order of time they are the same in whatever runs the readings came.
    with readings as (
        select
            *,
            {{ window_start(source.time) }} as window_start
        from {{ stage }}
        where {{ in_scope(scope, source.time) }}
        distribute by {{ source.key }}, {{ named }}
        sort by {{ source.key }}, {{ named }}, {{ source.time }}
    )

    select
        {{ source.key }},
        {{ named }},
        window_start,
        window_start + {{ window_length() }} as window_end,
        count(*) as reading_count,
        min(value) as min_value,
        sum(value) / count(*) as average_value,
        max(value) as max_value,
        max_by(value, {{ source.time }}) as last_value,
        min({{ source.time }}) as first_reading_at,
        max({{ source.time }}) as last_reading_at
    from readings
    group by {{ source.key }}, {{ named }}, window_start
{%- endmacro %}


{#-
  A condition on the time of readings: within that in which readings have equal copies; false where none has. So a comparison
  with raw reads no more of it than it must.
-#}
{% macro when_copies_were_taken(stage, source) -%}
    {%- set sql -%}
        select cast(min({{ source.time }}) as string), cast(max({{ source.time }}) as string) from {{ stage }}
        where copy_count > 0
    {%- endset -%}
    {%- set is_there = execute and load_relation(stage) is not none -%}
    {%- set span = _answer('copies of ' ~ source.name, sql, [stage])[0] if is_there else [none, none] -%}
    {%- if span[0] is none -%}
        false
    {%- else -%}
        {{ source.time }} between timestamp'{{ span[0] }}' and timestamp'{{ span[1] }}'
    {%- endif -%}
{%- endmacro %}
