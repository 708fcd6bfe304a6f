{#-
  What a run has to load of a source: the listing of the landing folder, which was taken before Spark started
  (python/strata/landing.py), against raw.loaded_files. Called by _load_source().
-#}

{#- A row for each file of a source that was ever found, as the run's listing of the landing folder left it. -#}
{% macro _listed_files(name) -%}
    select landed.*
    from (
        select
            from_json(
                value,
                'path string, file_id string, location string, size bigint, modified_at timestamp, content_hash string,
                rows_landed bigint, columns array<string>, reading string, fault string, is_listed boolean,
                is_gone boolean, is_unreachable boolean, landed_on date, same_as string, is_linked boolean, stamp string'
            ) as landed
        from text.`{{ _literal_path(env_var('STRATA_LAKE')) | replace('`', '``') }}/intake/{{ name }}.jsonl`
    )
{%- endmacro %}


{#-
  Of files that stand for themselves: an object with
    to_load: files to read, a list of objects with `file_id`, `columns`, `reading`, and of those that are read where they lie
      `location` and `stamp`; one that cannot be read has no columns
    deliveries: the paths that are noted anew; is_any: whether rows in raw are replaced for one of them

  The same content with a later modification time is the same delivery, unless the file holds a time later than its last
  modification: it may have come by now. A file of which not every row was read is read again: what stood in the way may
  have gone. So is each one once where raw was read by an older reader, and a refused one of lines that would be let in now.
  One that counts under another path by now is forgotten. A refused file stays in raw, as every other that has left.
-#}
{% macro _files_to_load(source) %}
    {%- set sql -%}
        with landed as (
            {{ _listed_files(source.name) }}
        ),

        known as (
            {{ _known_files(source) }}
        ),

        compared as (
            select
                coalesce(landed.path, known.path) as path,
                case
                    when
                        landed.is_listed and (
                            known.path is null
                            or not landed.content_hash <=> known.content_hash
                            or landed.modified_at < known.modified_at
                            or (landed.modified_at > known.modified_at and known.is_ahead)
                            or (known.fault is null and known.rows_loaded <> known.rows_landed)
                            or known.reader <> {{ _reader() }}
                            {%- if flags.FULL_REFRESH and source.arrives == 'growing_lines' %}
                            -- The rules for lines may have changed; what they say stands in raw.
                            or true
                            {%- endif %}
                            or (
                                known.fault is null and known.reason is not null
                                and known.rows_malformed <= known.rows_loaded * {{ _limit_of(source, 'max_quarantined_share') }}
                            )
                        )
                        then 'load'
                    when landed.same_as is not null and known.path is not null
                        then 'forget'
                    when landed.is_listed and not landed.is_unreachable and not (landed.fault <=> known.fault)
                        then '{{ 'load' if source.arrives == 'growing_lines' else 'note' }}'
                end as change,
                landed.file_id,
                landed.columns,
                landed.reading,
                if(landed.is_linked, null, landed.location) as location,
                landed.stamp
            from landed
            full outer join known on landed.path = known.path
        )

        select path, change, file_id, to_json(columns), reading, location, stamp
        from compared
        where change is not null
        order by path
    {%- endset -%}
    {%- set changes = {'to_load': [], 'deliveries': [], 'is_any': false} -%}
    {%- for row in _answer('what to load of ' ~ source.name, sql, [_built_relation('loaded_files')]) -%}
        {%- if row[1] == 'load' -%}
            {% do changes.to_load.append({'file_id': row[2], 'columns': fromjson(row[3]) or [], 'reading': row[4], 'location': row[5], 'stamp': row[6]}) %}
        {%- endif -%}
        {% do changes.deliveries.append(row[0]) %}
        {% do changes.update({'is_any': changes.is_any or row[1] != 'note'}) %}
    {%- endfor -%}
    {{ return(changes) }}
{% endmacro %}


{#-
  The same of daily snapshots: `deliveries` are landed days, as text, that have other files, or others' content, than raw holds.
  A folder that has gone changes nothing, and one with a file that cannot be taken leaves raw as it is. A delivery of which
  not every row was read is read again.
-#}
{% macro _deliveries_to_load(source) %}
    {%- set sql -%}
        with landed as (
            select * from ({{ _listed_files(source.name) }})
            where is_listed and landed_on is not null
        ),

        known as (
            select
                landed_on,
                array_sort(collect_list(struct(path, content_hash))) as files,
                sum(rows_landed) <> sum(rows_loaded) or max(reader) <> {{ _reader() }} as is_to_be_read_again
            from ({{ _known_files(source) }})
            group by landed_on
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
            where not (deliveries.files <=> known.files) or known.is_to_be_read_again
        )

        select
            cast(changed.landed_on as string),
            landed.file_id,
            to_json(landed.columns),
            landed.reading,
            if(landed.is_linked, null, landed.location),
            landed.stamp
        from changed
        inner join landed on changed.landed_on = landed.landed_on
        order by landed.path
    {%- endset -%}
    {%- set to_load = [] -%}
    {%- set days = [] -%}
    {%- for row in _answer('what to load of ' ~ source.name, sql, [_built_relation('loaded_files')]) -%}
        {% do days.append(row[0]) %}
        {% do to_load.append({'file_id': row[1], 'columns': fromjson(row[2]), 'reading': row[3], 'location': row[4], 'stamp': row[5]}) %}
    {%- endfor -%}
    {{ return({
        'to_load': to_load, 'deliveries': days | unique | sort, 'is_any': days | length > 0,
    }) }}
{% endmacro %}


{#- How landed files are read: a number that goes up when the same file gives other rows. -#}
{% macro _reader() -%}
    3
{%- endmacro %}
