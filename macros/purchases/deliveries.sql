{#- What raw.purchases takes of the rows that have landed. -#}
{% macro landed_purchases(relation) -%}
    select
        * except (landed_on),
        current_timestamp() as loaded_at,
        year(landed_on) as year,
        month(landed_on) as month,
        day(landed_on) as day
    from {{ landed_rows(relation) }}
{%- endmacro %}


{#- What is known of deliveries before there are any. -#}
{% macro no_deliveries() -%}
    select
        cast(null as date) as landed_on,
        cast(null as array<struct<path: string, content_hash: string>>) as files
    where false
{%- endmacro %}


{#-
  For daily deliveries: the files of each landed day that has others, or others' content, than raw holds (see
  load_landed). A delivery is the files that are in the day's folders now; a folder that has gone changes nothing, and
  one with a file that cannot be taken leaves raw as it is.
-#}
{% macro changed_deliveries(node) %}
    {%- set intake = built_relation(node.config.meta.intake) -%}
    {%- set known = built_relation(node.config.meta.files) -%}
    {%- set sql -%}
        with landed as (
            select * from {{ intake }}
            where is_listed and landed_on is not null
        ),

        known as (
            {{ no_deliveries() if known is none else 'select landed_on, files from ' ~ known }}
        ),

        deliveries as (
            select
                landed_on,
                array_sort(collect_list(struct(path, content_hash))) as files
            from landed
            group by landed_on
            having count(fault) = 0
        ),

        changed as (
            select deliveries.landed_on
            from deliveries
            left join known on deliveries.landed_on = known.landed_on
            where not (deliveries.files <=> known.files)
        )

        select cast(landed.landed_on as string), landed.file_id, to_json(landed.columns), landed.reading
        from landed
        inner join changed on landed.landed_on = changed.landed_on
        order by landed.path
    {%- endset -%}
    {%- set to_load = [] -%}
    {%- set days = [] -%}
    {%- for row in run_query(sql) -%}
        {% do days.append(row[0]) %}
        {% do to_load.append({'file_id': row[1], 'columns': fromjson(row[2]), 'reading': row[3]}) %}
    {%- endfor -%}
    {%- set days = days | unique | sort -%}
    {{ return({'to_load': to_load, 'scope': {'days': days} if days else none}) }}
{% endmacro %}


{#- The days whose last delivery this run has loaded into raw and ops.purchase_deliveries does not know. -#}
{% macro deliveries_to_record(relation, known_through, through) %}
    {%- set scope = changed_deliveries(built_node(config.get('meta').raw)).scope -%}
    {%- if scope is not none and not is_raw_loaded() -%}
        {% do raise_raw_is_not_loaded() %}
    {%- endif -%}
    {{ return(scope) }}
{% endmacro %}


{#-
  A row for each landed day in scope, from the intake and what raw holds; `known` is the relation that keeps them, none
  before there is one.

  The content of a day is the set of its rows, whatever their order and file, told by their count and two exclusive ors
  over a hash of each; copies count once.
-#}
{% macro delivery_states(intake, raw, known, columns) -%}
    with landed as (
        select * from {{ intake }}
        where is_listed and landed_on is not null and {{ in_scope('landed_on') }}
    ),

    deliveries as (
        select
            landed_on,
            array_sort(collect_list(struct(path, content_hash))) as files,
            sum(rows_landed) as rows_landed,
            array_sort(array_distinct(flatten(collect_list(
                filter(
                    columns,
                    name -> name not in ('{{ columns | join("', '") }}')
                    and size(filter(columns, same -> same = name)) = 1
                )
            )))) as other_columns
        from landed
        group by landed_on
        having count(fault) = 0
    ),

    rows_by_hash as (
        select
            make_date(year, month, day) as landed_on,
            xxhash64(
                {%- for column in columns %}
                coalesce(`{{ column }}`, ''),
                {%- endfor %}
                coalesce(malformed_line, ''),
                coalesce(other_columns, '')
            ) as row_hash,
            count(*) as row_count
        from {{ raw }}
        where {{ in_scope('make_date(year, month, day)') }}
        group by 1, 2
    ),

    contents as (
        select
            landed_on,
            sum(row_count) as row_count,
            concat_ws('-', count(*), hex(bit_xor(row_hash)), hex(bit_xor(xxhash64(row_hash)))) as content
        from rows_by_hash
        group by landed_on
    ),

    states as (
        select
            deliveries.landed_on,
            deliveries.files,
            deliveries.rows_landed,
            coalesce(contents.row_count, 0) as row_count,
            deliveries.other_columns,
            coalesce(contents.content, '0') as content,
            {{ next_changed_at(known) }} as changed_at
        from deliveries
        left join contents on deliveries.landed_on = contents.landed_on
    )

    select * from states
{%- endmacro %}


{#- Load what has landed, without dbt running the models for it: `dbt snapshot` runs nothing but snapshots. -#}
{% macro load_deliveries(meta) %}
    {%- set raw_node = built_node(meta.raw) -%}
    {%- set deliveries_node = built_node(meta.deliveries) -%}
    {%- set intake = place_of(raw_node.config.meta.intake) -%}
    {%- set raw = place_of(meta.raw) -%}
    {%- if built_relation(raw_node.config.meta.intake) is none -%}
        {% do adapter.create_schema(intake) %}
        {% do run_query('create or replace view ' ~ intake ~ ' as ' ~ landed_files_of(raw_node.config.meta.source)) %}
        {% do adapter.cache_added(intake.incorporate(type='view')) %}
    {%- endif -%}
    {%- set changes = load_landed(raw_node, raw, landed_purchases(raw), announce=false) -%}
    {%- set known = built_relation(meta.deliveries) -%}
    {%- set sql = delivery_states(intake, raw, known, raw_node.config.meta.columns) -%}
    {%- if known is none -%}
        {% do create_delta_table(deliveries_node, place_of(meta.deliveries), sql) %}
    {%- elif changes.scope is not none -%}
        {% call statement('record_deliveries') -%}
            {{ replace_where(known, changes.scope, 'landed_on', sql) }}
        {%- endcall %}
    {%- endif -%}
{% endmacro %}
