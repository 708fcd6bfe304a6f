{#-
  The landed days of a history's source that need a look, oldest first: those after the last that the history holds, those
  that it holds and that have another content now or a fault, those that landed late, its last one, and `named`; from
  `since` on, all of them ('' for every day there is). A list of objects with
    day: the day, as text
    content, row_count, other_columns: of the delivery that raw holds; content none where raw holds none
    fault: a sentence's end on why the delivery cannot be taken, or none
    is_listed: whether there is a file of it in the landing folder
    known: what the history's record says of it, a list of content, share removed, share quarantined; none where it says
      nothing
  and, before all others with the day none, the files that lie in no day's folder.
-#}
{% macro _landed_days(source, state, since=none, named=none) %}
    {%- set sql -%}
        with listed as (
            select
                landed_on,
                min(case when fault is not null then 'the file ' || path || ' cannot be taken: ' || fault end) as fault
            from ({{ _listed_files(source.name) }})
            where is_listed
            group by landed_on
        ),

        deliveries as (
            {{ _deliveries(source) }}
        ),

        known as (
            {{ _known_days(state) }}
        ),

        days as (
            select
                cast(coalesce(listed.landed_on, deliveries.landed_on) as string) as day,
                deliveries.content,
                deliveries.row_count,
                deliveries.other_columns,
                listed.fault,
                deliveries.rows_landed,
                listed.landed_on is not null as is_listed,
                known.landed_on is not null as is_known,
                known.content as known_content,
                known.removed_share,
                known.quarantined_share
            from listed
            full outer join deliveries on listed.landed_on = deliveries.landed_on
            left join known on coalesce(listed.landed_on, deliveries.landed_on) = known.landed_on
        )

        select
            day,
            content,
            row_count,
            to_json(other_columns),
            fault,
            is_listed,
            is_known,
            known_content,
            removed_share,
            quarantined_share,
            coalesce(fault is null and rows_landed <> row_count, false) as is_short
        from days
        where
            day is null
            or day >= '{{ state.through }}'
            {%- if since is not none %}
            or day >= '{{ since }}'
            {%- endif %}
            {%- if named is not none %}
            or day = '{{ named }}'
            {%- endif %}
            or (is_listed and (fault is not null or not is_known or rows_landed <> row_count))
            or (is_known and content <> known_content)
        order by day nulls first
    {%- endset -%}
    {%- set days = [] -%}
    {%- for row in _answer('days of ' ~ source.name, sql, [_built_relation('loaded_files'), _built_relation('history_days')]) -%}
        {% do days.append({
            'day': row[0], 'content': row[1], 'row_count': row[2] | int, 'other_columns': fromjson(row[3] or '[]'),
            'fault': _short_files(source, row[0]) if row[10] else row[4], 'is_listed': row[5],
            'known': [row[7], row[8] | float, row[9] | float] if row[6] else none,
        }) %}
    {%- endfor -%}
    {{ return(days) }}
{% endmacro %}


{#- Which files of a day have other counts of rows than raw has of them, as a sentence's end. -#}
{% macro _short_files(source, day) %}
    {%- set sql -%}
        select path, rows_landed, rows_loaded
        from ({{ _known_files(source) }})
        where landed_on = date'{{ day }}' and rows_landed <> rows_loaded
        order by path
    {%- endset -%}
    {%- set files = [] -%}
    {%- for row in run_query(sql) -%}
        {% do files.append('of ' ~ row[1] ~ ' rows counted in the file ' ~ row[0] ~ ' ' ~ row[2] ~ ' were read') %}
    {%- endfor -%}
    {{ return(files | join(', ') or 'not every row counted in its files was read') }}
{% endmacro %}


{#- Say which landed days have left before they were taken: they are left out. -#}
{% macro _name_withdrawn_days(source, days) %}
    {%- if days -%}
        {{ log(
            'The snapshot of ' ~ source.name ~ ' of ' ~ days | join(', ') ~ ', whose folder has gone before it was taken, is left out; put it back to'
            ~ ' have it taken.', info=True
        ) }}
    {%- endif -%}
{% endmacro %}
