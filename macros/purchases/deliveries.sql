{#- What raw.purchases takes of the rows that have landed. -#}
{% macro landed_purchases(relation) -%}
    select
        * except (_landed_on),
        current_timestamp() as loaded_at,
        year(_landed_on) as year,
        month(_landed_on) as month,
        day(_landed_on) as day
    from {{ landed_rows(relation) }}
{%- endmacro %}


{#- What is known of deliveries before there are any. -#}
{% macro no_deliveries() -%}
    select
        cast(null as date) as landed_on,
        cast(null as array<struct<path: string, content_hash: string>>) as files,
        cast(null as bigint) as rows_landed,
        cast(null as bigint) as row_count,
        cast(null as string) as content,
        cast(null as timestamp) as changed_at
    where false
{%- endmacro %}


{#- For daily deliveries: what of them is to be loaded (see load_landed and delivery_changes). -#}
{% macro changed_deliveries(node, is_judged) %}
    {{ return(delivery_changes(node, built_relation(node.config.meta.files), is_judged)) }}
{% endmacro %}


{#-
  The files of each landed day that has others, or others' content, than raw holds, as load_landed wants them. A delivery is
  the files that are in the day's folders now; a folder that has gone changes nothing, and one with a file that cannot be
  taken leaves raw as it is. A delivery of which not every row was read is read again. Where not all that raw holds is
  recorded (`is_judged`), the days with other content there, or loaded since, are loaded again, or, where their folder has
  gone, recorded: `unrecorded` names these.
-#}
{% macro delivery_changes(node, known, is_judged) %}
    {%- set meta = node.config.meta -%}
    {%- set sql -%}
        with landed as (
            select * from {{ built_relation(meta.intake) }}
            where is_listed and landed_on is not null
        ),

        known as (
            {{ no_deliveries() if known is none else 'select * from ' ~ known }}
        ),

        unrecorded as (
            {% if is_judged -%}
            select cast(null as date) as landed_on where false
            {%- else -%}
            select coalesce(contents.landed_on, known.landed_on) as landed_on
            from ({{ delivery_contents(built_relation(node.name), meta.columns) }}) as contents
            full outer join known on contents.landed_on = known.landed_on
            where
                coalesce(contents.content, '0') <> coalesce(known.content, '0')
                -- Loaded since, and maybe looked at with other rows in between.
                or contents.loaded_at > known.changed_at
            {%- endif %}
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
            where
                not (deliveries.files <=> known.files)
                or known.rows_landed <> known.row_count
                or deliveries.landed_on in (select unrecorded.landed_on from unrecorded)
        )

        select
            cast(coalesce(changed.landed_on, unrecorded.landed_on) as string),
            landed.file_id,
            to_json(landed.columns),
            landed.reading
        from changed
        inner join landed on changed.landed_on = landed.landed_on
        full outer join unrecorded on changed.landed_on = unrecorded.landed_on
        order by landed.path
    {%- endset -%}
    {%- set to_load = [] -%}
    {%- set days = [] -%}
    {%- set unrecorded = [] -%}
    {%- for row in run_query(sql) -%}
        {%- if row[1] is none -%}
            {% do unrecorded.append(row[0]) %}
        {%- else -%}
            {% do days.append(row[0]) %}
            {% do to_load.append({'file_id': row[1], 'columns': fromjson(row[2]), 'reading': row[3]}) %}
        {%- endif -%}
    {%- endfor -%}
    {%- set days = days | unique | sort -%}
    {{ return({'to_load': to_load, 'scope': {'days': days} if days else none, 'unrecorded': unrecorded}) }}
{% endmacro %}


{#- The days whose last delivery is in raw and `known` does not know, as a scope. -#}
{% macro deliveries_to_record(known, known_through, through) %}
    {%- set raw_node = built_node(config.get('meta').raw) -%}
    {%- set changes = delivery_changes(raw_node, known, is_raw_as_listed(raw_node, built_relation(raw_node.name), known)) -%}
    {% do check_raw_is_loaded(changes.to_load | length > 0) %}
    {%- set days = (changes.scope.days if changes.scope else []) + changes.unrecorded -%}
    {{ return({'days': days} if days else none) }}
{% endmacro %}


{#-
  The content of each landed day that raw holds (in scope): `landed_on`, `row_count`, `loaded_at`, `content`. It is the set
  of the day's rows, whatever their order and file, told by their count and two exclusive ors over a hash of each; copies
  count once.
-#}
{% macro delivery_contents(raw, columns) -%}
    select
        landed_on,
        sum(row_count) as row_count,
        max(loaded_at) as loaded_at,
        concat_ws('-', count(*), hex(bit_xor(row_hash)), hex(bit_xor(xxhash64(row_hash)))) as content
    from (
        select
            make_date(year, month, day) as landed_on,
            xxhash64(
                {%- for column in columns %}
                coalesce(`{{ column }}`, ''),
                {%- endfor %}
                coalesce(malformed_line, ''),
                coalesce(other_columns, '')
            ) as row_hash,
            max(loaded_at) as loaded_at,
            count(*) as row_count
        from {{ raw }}
        where {{ in_scope('make_date(year, month, day)') }}
        group by 1, 2
    )
    group by landed_on
{%- endmacro %}


{#-
  A row for each landed day in scope, from the intake and what raw holds; `known` is the relation that keeps them, none
  before there is one.

  A day whose folder has gone is recorded as it was last found, by the files that its rows in raw are of.
-#}
{% macro delivery_states(intake, raw, known, columns) -%}
    with found as (
        select * from {{ intake }}
        where landed_on is not null and {{ in_scope('landed_on') }}
    ),

    listed_days as (
        select distinct landed_on from found
        where is_listed
    ),

    landed as (
        select * from found
        where
            is_listed
            or (
                landed_on not in (select listed_days.landed_on from listed_days)
                and path in (
                    select raw.path from {{ raw }} as raw
                    where {{ in_scope('make_date(raw.year, raw.month, raw.day)') }}
                )
            )
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

    contents as (
        {{ delivery_contents(raw, columns) }}
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


{#- What the table of purchase files holds before this run, with --full-refresh too. -#}
{% macro known_purchase_files() -%}
    select path, size, modified_at, rows_landed
    {%- if execute and built_relation('purchase_files') is not none %}
    from {{ built_relation('purchase_files') }}
    {%- else %}
    from values (cast(null as string), 0L, now(), 0L) as files (path, size, modified_at, rows_landed)
    where false
    {%- endif %}
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
    {%- set changes = load_landed(raw_node, raw, landed_purchases(raw)) -%}
    {%- set known = built_relation(meta.deliveries) -%}
    {%- set sql = delivery_states(intake, raw, known, raw_node.config.meta.columns) -%}
    {%- if known is none -%}
        {% do create_delta_table(deliveries_node, place_of(meta.deliveries), sql) %}
    {%- elif changes.to_load or changes.unrecorded -%}
        {% call statement('record_deliveries') -%}
            {{ replace_where(
                known, {'days': (changes.scope.days if changes.scope else []) + changes.unrecorded}, 'landed_on', sql
            ) }}
        {%- endcall %}
    {%- endif -%}
    {%- if known is none or changes.to_load or not changes.is_judged -%}
        {% do note_properties(place_of(meta.deliveries), {'strata.judged_through': newest_version(raw).version}) %}
    {%- endif -%}
{% endmacro %}
